"""Rewards that come late in a comparison: what an agent is told, when, and that nothing else changes."""

import sys
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
from tables import random_table

from llm_routing_env.agents import Agent, make_agent
from llm_routing_env.agents.parts.generators import SessionSeeds
from llm_routing_env.envs import DelayedFeedback, PickLLMEnv
from llm_routing_env.envs.delay import Delay
from llm_routing_env.envs.vector import PickLLMVectorEnv
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.sessions import run_sessions

TABLE = random_table(per_context=30)
LENGTH, SEEDS = 25, (5, 6, 7)
DRAWN = [("uniform", 0, 6), ("geometric", 0.3)]


class Witness(Agent):
    """Asks the LLMs in turn, and keeps what it is told."""

    observation = "features"

    def __init__(self, task, *, n_sessions=None, seed=None):
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.told, self.seen = [], []

    def _probabilities(self, observation, allowed):
        return np.tile([0.4, 0.3, 0.2, 0.1], (len(self._rows), 1))

    def _select(self, observation, allowed):
        self.seen.append(observation)
        return np.full(len(self._rows), len(self.seen) % 4)

    def _learn(self, observation, action, reward, outcome):
        self.told.append((observation, action, reward, dict(outcome), self._probability))


def session_log(agent, delay, observation="none"):
    with closing(PickLLMVectorEnv(len(SEEDS), LENGTH, "DISABLED", TABLE, observation=observation, split="all")) as env:
        contexts = ["art"] * len(SEEDS)
        return run_sessions(env, agent(env.task), SEEDS, contexts=contexts, delay=delay and Delay.read(delay))


def test_a_fixed_delay_tells_what_was_seen_done_and_got_so_many_steps_ago():
    made = []

    def make(task):
        made.append(Witness(task, n_sessions=len(SEEDS), seed=0))
        return made[0]

    log = session_log(make, 4, "features")
    told, seen = made[0].told, made[0].seen
    assert len(told) == LENGTH - 4  # those of the last 4 steps never arrive
    for step, (observation, action, reward, outcome, probability) in enumerate(told):
        np.testing.assert_array_equal(observation, seen[step])
        np.testing.assert_array_equal(action, log.actions[:, step])
        np.testing.assert_array_equal(reward, log.rewards[:, step])
        for name, values in outcome.items():
            np.testing.assert_array_equal(values, log.measures[name][:, step])
        np.testing.assert_allclose(probability, [[0.4, 0.3, 0.2, 0.1][(step + 1) % 4]] * len(SEEDS))


@pytest.mark.parametrize("delay", [3, *DRAWN])
@pytest.mark.parametrize("name", ["exp3", "ucb1", "learning_automaton", "thompson_gaussian"])
def test_sessions_are_those_of_the_wrapper(name, delay):
    """The wrapper's loop as a user would write it, with an agent for each session."""
    fixed = isinstance(delay, int)
    seeds = SessionSeeds(0, [11, 12, 13])
    log = session_log(lambda task: make_agent(name, task, n_sessions=len(SEEDS), seed=seeds, lifted=not fixed), delay)
    for row, seed in enumerate(SEEDS):
        env = DelayedFeedback(PickLLMEnv(TABLE, context="art", observation="none", split="all"), delay)
        observation, _ = env.reset(seed=seed)
        agent = make_agent(name, env.unwrapped.task, seed=seeds.sessions[row])
        actions, chances = [], []
        for _ in range(LENGTH):
            chance = agent.action_probabilities(observation)
            actions.append(agent.select_action(observation))
            chances.append(chance[actions[-1]])
            _, _, _, _, info = env.step(actions[-1])
            for told in info["feedback"]:
                agent.update(None, told["action"], told["reward"], probability=chances[told["step"]])
        assert log.actions[row].tolist() == actions


def test_no_delay_is_none():
    agents, options = ["learning_automaton", "exp3"], {"table": TABLE, "n_sessions": 3, "length": LENGTH}
    plain, same = compare(agents, **options), compare(agents, **options, feedback_delay=0)
    assert same.document() == plain.document()
    assert same.feedback_delay is None


def test_who_is_told_nothing_learns_nothing():
    options = {"table": TABLE, "n_sessions": 3, "length": LENGTH}
    never = compare(["learning_automaton"], **options, feedback_delay=LENGTH)
    for log in never.logs["learning_automaton"].values():
        np.testing.assert_allclose(log.final_probabilities, 0.25)
    assert never.document()["feedback_delay"] == {"kind": "uniform", "numbers": (LENGTH, LENGTH)}


class Plain:
    """An agent that only selects: its `update` need not take a probability."""

    def __init__(self, task):
        pass

    def select_action(self, observation):
        return 1

    def update(self, observation, action, reward):
        assert action == 1


@pytest.mark.parametrize("delay", [3, ("uniform", 1, 3)])
def test_an_agent_that_tells_no_probabilities_is_told_none(delay, monkeypatch):
    monkeypatch.setitem(sys.modules, "plain_agents", SimpleNamespace(Plain=Plain))
    result = compare(["plain_agents:Plain"], table=TABLE, n_sessions=2, length=LENGTH, feedback_delay=delay)
    assert result.agents == ["plain_agents:Plain"], result.failures


@pytest.mark.parametrize("delay", [-1, 1.5, "3", ("uniform", 3, 1), ("geometric", 0), ("poisson", 2), None, True])
def test_a_delay_that_is_none_is_refused(delay):
    with pytest.raises(ValueError, match="delay"):
        compare(["random"], table=TABLE, feedback_delay=delay)
