"""Classes that have an agent's methods, but not its base class."""

from __future__ import annotations

import numpy as np
import pytest

from llm_routing_env.agents.parts.adapting import adapt
from llm_routing_env.agents.parts.lifting import LiftedAgent


class Duck:
    """Always gives the same answer."""

    def __init__(self, task, answer=2):
        self.answer = answer

    def select_action(self, observation):
        return self.answer

    def update(self, observation, action, reward):
        pass


class Fitted(Duck):
    """Picks the LLM that is best on average, but sometimes another."""

    observation = "context"
    maximises = "accuracy"

    def __init__(self, task, seed=None):
        super().__init__(task)
        self.dice = np.random.default_rng(seed)

    def fit(self, training_table):
        self.answer = int(training_table.accuracy.mean(axis=0).argmax())


class Refits(Duck):
    """Learns online, by fitting itself."""

    def fit(self):
        pass


class Settles(Duck):
    """Settles on what it answered first."""

    committed_action = -1

    def update(self, observation, action, reward):
        self.committed_action = action


def test_what_a_class_says_of_itself_is_kept():
    adapted = adapt(Fitted)
    assert (adapted.feedback, adapted.observation, adapted.maximises) == ("full", "context", "accuracy")
    assert adapted.protocol() == "pretrained"
    plain = adapt(Duck)
    assert (plain.feedback, plain.observation, plain.maximises) == ("bandit", "none", "reward")
    assert adapt(Refits).protocol() == "online"
    assert adapt(type("NotFitted", (Fitted,), {"feedback": "none"})).feedback == "none"


def test_it_is_fitted_and_the_sessions_of_a_batch_keep_their_randomness(make_task, make_training_table):
    table = make_training_table(make_task())
    best = table.accuracy.mean(axis=0).argmax()
    agent = adapt(Fitted)(make_task(), seed=0)
    agent.fit(table)
    assert agent.select_action(None) == best
    batch = LiftedAgent(lambda seed: adapt(Fitted)(make_task(), seed=seed), make_task(), n_sessions=3, seed=0)
    batch.fit(table)
    np.testing.assert_array_equal(batch.select_action(np.ones((3, 5))), [best] * 3)
    assert len({row._agent.dice.random() for row in batch.agents}) == 3


def test_one_that_cannot_be_fitted_says_so(make_task, make_training_table):
    with pytest.raises(TypeError, match="Duck learns online"):
        adapt(Duck)(make_task()).fit(make_training_table(make_task()))


def test_what_it_has_settled_on_is_told(make_task):
    agent = adapt(Settles)(make_task())
    assert agent.committed_action == -1
    agent.update(None, 3, 0.5)
    assert agent.committed_action == 3
    assert adapt(Duck)(make_task()).committed_action == -1


@pytest.mark.parametrize("answer", [2, np.int64(2), np.array([2])])
def test_an_integer_is_an_action(answer, make_task):
    action = adapt(Duck)(make_task(), answer=answer).select_action(None)
    assert (action, type(action)) == (2, int)


@pytest.mark.parametrize("answer", [1.7, 1.0, "2", True, 4, -1, None, [0, 1], np.float64(1)])
def test_anything_else_is_refused(answer, make_task):
    with pytest.raises(ValueError, match=r"Duck: action must be 1 integer\(s\) from 0 to 3, got"):
        adapt(Duck)(make_task(), answer=answer).select_action(None)
