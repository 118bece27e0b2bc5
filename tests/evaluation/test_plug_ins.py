"""Plug-ins in comparisons: what they tell is checked, and who is not what it says loses its own row only."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from tables import random_table

from llm_routing_env.agents import Agent, PretrainedAgent
from llm_routing_env.agents.ucb1 import UCB1
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.step_logs import write_steps
from llm_routing_env.logs import read_log

TABLE = random_table(per_context=40)


class Odd(Agent):
    """Fitted, and gives probabilities that are none."""

    feedback = "full"
    chances = (2.0, -1.0, 0.0, 0.0)

    def fit(self, training_table):
        """Learn nothing."""

    def action_probabilities(self, observation, action_mask=None):
        return np.tile(self.chances, (len(observation), 1))


class NotEvenNumbers(Odd):
    """As odd."""

    chances = (np.nan, 0.5, 0.5, 0.0)


class TooMuch(Odd):
    """As odd."""

    chances = (0.5, 0.5, 0.5, 0.0)


@pytest.mark.parametrize("odd", [Odd, NotEvenNumbers, TooMuch])
def test_a_frozen_agent_without_a_distribution_loses_its_row_and_no_other(odd: type):
    plug_in = f"{__name__}:{odd.__name__}"
    result = compare([plug_in, "random"], n_sessions=2, length=5, table=TABLE)
    assert result.agents == ["random"]
    assert "action_probabilities must give numbers of 0 or more that sum to 1" in result.failures[plug_in]


class OddWhileItRoutes(Agent):
    """Never fitted, and as odd."""

    def _probabilities(self, observation, allowed):
        return np.full((len(observation), self.task.n_actions), np.nan)


class Counts(PretrainedAgent):
    """Frozen by its base class, and still not the same twice."""

    n_asked = 0

    def _fit(self, training_table):
        """Learn nothing."""

    def _scores(self, observation):
        self.n_asked += 1
        return np.eye(self.task.n_actions)[np.full(len(observation), self.n_asked % self.task.n_actions)]


@pytest.mark.parametrize(
    ("odd", "said"), [(OddWhileItRoutes, "action_probabilities must give numbers"), (Counts, "asked twice")]
)
def test_an_agent_that_is_not_what_it_says_loses_its_row(odd: type, said: str):
    plug_in = f"{__name__}:{odd.__name__}"
    result = compare([plug_in, "random"], n_sessions=2, length=5, table=TABLE)
    assert result.agents == ["random"]
    assert said in result.failures[plug_in]


class OwnChoice(UCB1):
    """Chooses in a way of its own; the probabilities are still UCB1's."""

    def select_action(self, observation, action_mask=None):
        return self._rng.random(len(observation)).round().astype(int)


class OnlyChooses(Agent):
    """Tells no probabilities."""

    def select_action(self, observation, action_mask=None):
        return np.zeros(len(observation), dtype=int)


def test_propensities_of_agents_that_do_not_tell_theirs_are_unknown(tmp_path):
    agents = [f"{__name__}:{kind.__name__}" for kind in (OwnChoice, OnlyChooses)]
    result = compare([*agents, "ucb1"], n_sessions=2, length=6, table=TABLE, propensities=True)
    assert not result.failures
    write_steps(result, tmp_path / "steps.parquet")
    rows = pq.read_table(tmp_path / "steps.parquet").to_pylist()
    unknown = {name: {row["propensity"] is None for row in rows if row["agent"] == name} for name in [*agents, "ucb1"]}
    assert unknown == {agents[0]: {True}, agents[1]: {True}, "ucb1": {False}}


class TellsAnother(OnlyChooses):
    """Chooses the first LLM, and tells of the second."""

    def action_probabilities(self, observation, action_mask=None):
        return np.tile([0.0, 1.0, 0.0, 0.0], (len(observation), 1))


class Single(OnlyChooses):
    """Tells probabilities as single precision rounds them."""

    def action_probabilities(self, observation, action_mask=None):
        return np.tile(np.array([1.0000001, 0.0, 0.0, 0.0], dtype=np.float32), (len(observation), 1))


def test_propensities_that_no_log_could_hold(tmp_path):
    agents = [f"{__name__}:{kind.__name__}" for kind in (TellsAnother, Single)]
    result = compare(agents, n_sessions=2, length=6, table=TABLE, propensities=True)
    assert (
        "the agent chose LLM 0, of which action_probabilities told [0.0, 1.0, 0.0, 0.0]" in result.failures[agents[0]]
    )
    write_steps(result, tmp_path / "steps.parquet")
    assert set(read_log(tmp_path / "steps.parquet").propensity.tolist()) == {1.0}


class TurnsAround(Agent):
    """Fitted, and still chooses by what it chose before."""

    feedback = "full"

    def fit(self, training_table):
        """Start at the first LLM."""
        self.turn = 0

    def select_action(self, observation, action_mask=None):
        self.turn += 1
        return np.full(len(observation), self.turn % 4)


def test_what_is_fitted_and_still_changes_is_judged_in_sessions():
    result = compare([f"{__name__}:TurnsAround"], n_sessions=3, length=8, table=TABLE)
    (name,) = result.agents
    assert result.sources[name] == ("queries", "sessions")
    assert set(result.routing[name]["all"].values()) == {0.25}
