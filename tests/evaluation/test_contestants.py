"""Blocks of sessions, and agents that fail."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest
from faulty_server import faulty_server
from tables import random_table

from llm_routing_env.agents import Agent, PretrainedAgent
from llm_routing_env.envs import PickLLMVectorEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.contestants import AgentContestant, Block, blocks_of
from llm_routing_env.evaluation.live_access import LiveAccess
from llm_routing_env.evaluation.setting import Setting
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


class Reads(Agent):
    """Routes by the number in the prompt, and says what it was shown."""

    observation = "prompt"
    shown: ClassVar[list[str]] = []

    def __init__(self, task, *, seed=None):
        super().__init__(task, seed=seed)

    def select_action(self, observation, action_mask=None):
        self.shown.append(observation)
        return int("".join(filter(str.isdigit, observation))) % self.task.n_actions


class ReadsAndIsFitted(PretrainedAgent):
    """Asks the LLM that was best on the training prompts of as many letters."""

    observation = "prompt"

    def __init__(self, task, *, n_sessions=None, seed=None):
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.by_length = np.zeros((100, task.n_actions))

    def _fit(self, table):
        for prompt, rewards in zip(table.observations, table.rewards, strict=True):
            self.by_length[len(prompt)] += rewards

    def _scores(self, observation):
        return self.by_length[[len(prompt) for prompt in observation]]


class Needs(Agent):
    """Refuses tasks of another size or kind."""

    observation = "features"

    def __init__(self, task, *, n_sessions=None, seed=None):
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        if (task.observation, task.observation_size) != ("features", 12):
            raise ValueError(f"this network takes 12 features, not {task.observation_size}")

    def _probabilities(self, observation, allowed):
        return np.full((len(observation), self.task.n_actions), 1 / self.task.n_actions)


class Misspelt(Reads):
    """Wants an observation that there is not."""

    observation = "promt"


class Duck:
    """Is no subclass of Agent."""

    def __init__(self, task):
        self.n_actions = task.n_actions

    def select_action(self, observation):
        return self.n_actions - 1

    def update(self, observation, action, reward):
        pass


def test_blocks_hold_sessions_of_one_length_and_every_session_once():
    problem = RoutingProblem(TABLE, observation="none")
    seeds = {"art": range(5), "biology": range(10, 15), "chess": range(20, 25), "mixed": range(30, 32)}
    blocks = blocks_of(problem, seeds, length=50, size=8)
    assert [(len(block.seeds), block.length) for block in blocks] == [(8, 26), (7, 26), (2, 50)]
    ran = [pair for block in blocks for pair in zip(block.contexts, block.seeds, strict=True)]
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
    number = 3 * list(result.seeds).index("chess") + 2
    session = [r for r in rows if (r["agent"], r["session"]) == ("thompson_beta", number)]
    assert len(session) == 7
    env.reset(seed=[result.seeds["chess"][2]], options={"context": "chess"})
    for row in session:
        _, reward, _, _, info = env.step(np.array([TABLE.llm_names.index(row["llm"])]))
        assert (row["query_id"], row["reward"]) == (info["query_id"][0], reward[0])
        assert 0 < row["propensity"] <= 1
    assert {row["propensity"] for row in rows if row["agent"] == "random"} == {0.25}


def test_agents_that_read_are_handed_the_prompts():
    Reads.shown.clear()
    names = [f"{__name__}:Reads", f"{__name__}:ReadsAndIsFitted"]
    result = compare(names, n_sessions=2, length=5, table=TABLE)
    assert not result.failures
    assert len(Reads.shown) == 2 * 3 * 5
    assert set(Reads.shown) <= {query.prompt for query in TABLE.queries}
    env = PickLLMVectorEnv(1, 5, "DISABLED", TABLE, observation="none", info="full")
    _, info = env.reset(seed=[result.seeds["chess"][1]], options={"context": "chess"})
    first = int("".join(filter(str.isdigit, info["prompt"][0]))) % 4
    assert result.logs[names[0]]["chess"].actions[1, 0] == first
    assert np.isfinite(result.metrics[names[1]]["all"]["reward"]["mean"])


def test_agents_that_read_are_handed_the_prompts_of_live_sessions(tmp_path: Path):
    with faulty_server() as server:
        llms = "".join(
            f'[[llm]]\nname = "llm-{number}"\nserved_name = "good"\nbase_url = "{server.base_url}"\n'
            "input_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 1.0\n"
            for number in range(4)
        )
        (tmp_path / "pool.toml").write_text(f'name = "p"\n{llms}')
        setting = Setting({"table": TABLE}, 3, live=LiveAccess("vllm", str(tmp_path / "pool.toml")))
        Reads.shown.clear()
        contestant = AgentContestant(f"{__name__}:Reads", {})
        log = contestant.run(setting, Block(("art", "art"), (5, 6), 3), lambda n_queries: None)
    assert log.actions.shape == (2, 3)
    assert len(Reads.shown) == 6
    assert set(Reads.shown) <= {query.prompt for query in TABLE.queries}


def test_agents_are_checked_with_the_observations_that_they_will_see():
    result = compare([f"{__name__}:Needs"], n_sessions=2, length=5, table=TABLE)
    assert not result.failures
    with pytest.raises(ValueError, match=r"Unknown observation 'promt'. Did you mean 'prompt'"):
        compare([f"{__name__}:Misspelt"], n_sessions=2, length=5, table=TABLE)


def test_an_agent_may_be_compared_on_other_vectors_than_its_own():
    result = compare(["linucb"], n_sessions=2, length=5, table=TABLE, parameters={"linucb": {"observation": "context"}})
    assert not result.failures
    assert result.contestants["linucb"].observation == "context"
    with pytest.raises(ValueError, match="Unknown observation 'pixels'"):
        compare(["linucb"], n_sessions=2, table=TABLE, parameters={"linucb": {"observation": "pixels"}})


def test_a_class_that_only_has_an_agents_two_methods_takes_part():
    name = f"{__name__}:Duck"
    result = compare([name], n_sessions=2, length=5, table=TABLE)
    assert not result.failures
    np.testing.assert_array_equal(result.logs[name]["art"].actions, 3)
