"""What the answer was, beside its reward, reaches an agent's rule."""

import numpy as np
import pytest

from llm_routing_env.agents import Agent

MEASURES = {"accuracy": [1.0, 0.0], "cost_usd": [0.25, 0.5], "latency_s": [2.0, 4.0]}


class Accountant(Agent):
    """Adds up what each session spends."""

    def __init__(self, task, *, n_sessions=None, seed=None):
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.spent_usd = np.zeros(len(self._rows))
        self.names = []

    def _learn(self, observation, action, reward, outcome):
        self.names.append(sorted(outcome))
        self.spent_usd += outcome.get("cost_usd", 0.0)


def test_a_batch_gets_one_number_per_session(make_task):
    agent = Accountant(make_task(), n_sessions=2)
    for _ in range(2):
        agent.update(None, [0, 1], [0.5, 0.5], {name: np.array(values) for name, values in MEASURES.items()})
    np.testing.assert_array_equal(agent.spent_usd, [0.5, 1.0])
    assert agent.names == [["accuracy", "cost_usd", "latency_s"]] * 2


def test_one_session_gives_scalars_and_the_rule_gets_arrays(make_task):
    agent = Accountant(make_task())
    agent.update(None, 0, 0.5, {name: values[1] for name, values in MEASURES.items()})
    np.testing.assert_array_equal(agent.spent_usd, [0.5])


def test_without_an_outcome_the_rule_gets_an_empty_mapping(make_task):
    agent = Accountant(make_task())
    agent.update(None, 0, 0.5)
    assert agent.names == [[]]


def test_an_outcome_for_another_number_of_sessions_is_refused(make_task):
    with pytest.raises(ValueError, match=r"Accountant: outcome\['cost_usd'\] must be 2 number\(s\), got"):
        Accountant(make_task(), n_sessions=2).update(None, [0, 1], [0.5, 0.5], {"cost_usd": np.zeros(3)})
