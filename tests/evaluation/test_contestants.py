"""Blocks of sessions, and agents that fail."""

import numpy as np
import pyarrow.parquet as pq
from tables import random_table

from llm_routing_env.agents import Agent
from llm_routing_env.envs import PickLLMVectorEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.contestants import blocks_of
from llm_routing_env.evaluation.step_logs import write_steps

TABLE = random_table(per_context=40)


class RaisesAtTheFifthQuery(Agent):
    """Breaks in the middle of a session."""

    def _probabilities(self, observation, allowed):
        if self.n_updates == 5:
            raise KeyError("lost my notes")
        return np.full((len(observation), self.task.n_actions), 1 / self.task.n_actions)


class OnlySelects(Agent):
    """Gives no probabilities."""

    def select_action(self, observation, action_mask=None):
        return np.zeros(self.n_sessions, dtype=int)


def test_blocks_hold_sessions_of_one_context_and_every_session_once():
    problem = RoutingProblem(TABLE, observation="none")
    seeds = {"art": range(5), "biology": range(10, 23), "mixed": range(30, 32)}
    blocks = blocks_of(problem, seeds, length=50, size=8)
    assert [(b.context, b.first, len(b.seeds), b.length) for b in blocks] == [
        ("art", 0, 5, 26),
        ("biology", 0, 7, 26),
        ("biology", 7, 6, 26),
        ("mixed", 0, 2, 50),
    ]
    ran = [(block.context, seed) for block in blocks for seed in block.seeds]
    assert sorted(ran) == sorted((context, seed) for context, given in seeds.items() for seed in given)


def test_an_agent_that_raises_loses_its_row_and_no_other():
    plug_in = f"{__name__}:RaisesAtTheFifthQuery"
    result = compare(["random", plug_in, "ucb1"], n_sessions=4, length=10, table=TABLE)
    assert result.agents == ["random", "ucb1"]
    assert result.failures.keys() == {plug_in}
    assert "KeyError: 'lost my notes' (test_contestants.py:" in result.failures[plug_in]
    document = result.document()
    assert [row["agent"] for row in document["failures"]] == [plug_in]
    alone = compare(["ucb1"], n_sessions=4, length=10, table=TABLE)
    np.testing.assert_array_equal(result.logs["ucb1"]["art"].actions, alone.logs["ucb1"]["art"].actions)


def test_an_agent_without_probabilities_has_no_value_where_they_are_needed():
    result = compare([f"{__name__}:OnlySelects"], n_sessions=4, length=10, table=TABLE)
    (metrics,) = (result.metrics[name]["all"] for name in result.agents)
    assert metrics["within_0.02_of_best"]["mean"] is None
    assert result.pairs == {f"{__name__}:OnlySelects": {}}
    assert metrics["reward_minus_chosen_fixed"]["mean"] is not None


def test_step_logs_hold_every_query_that_was_routed(tmp_path):
    result = compare(["random", "thompson_beta"], n_sessions=3, length=7, table=TABLE, propensities=True)
    write_steps(result, tmp_path / "steps.parquet")
    rows = pq.read_table(tmp_path / "steps.parquet").to_pylist()
    assert len(rows) == 2 * 3 * 3 * 7
    env = PickLLMVectorEnv(1, 7, "DISABLED", TABLE, observation="none", info="full")
    session = [r for r in rows if (r["agent"], r["context"], r["session"]) == ("thompson_beta", "chess", 2)]
    env.reset(seed=[result.seeds["chess"][2]], options={"context": "chess"})
    for row in session:
        _, reward, _, _, info = env.step(np.array([TABLE.llm_names.index(row["llm"])]))
        assert (row["query_id"], row["reward"]) == (info["query_id"][0], reward[0])
        assert 0 < row["propensity"] <= 1
    assert {row["propensity"] for row in rows if row["agent"] == "random"} == {0.25}
