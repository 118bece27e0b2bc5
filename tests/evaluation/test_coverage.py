"""How often the intervals of agents that learn hold the truth, over many tables of queries from one source."""

import numpy as np
import pytest

from llm_routing_env.agents import RoutingTask, make_agent
from llm_routing_env.evaluation.statistics import LEARNING, SESSIONS, Estimate, Resamples, pooled

N_TABLES, CONTEXTS = 500, ("art", "chess")


def estimates(name: str, seed: int, *, n_queries: int, length: int, n_sessions: int, means: tuple[float, ...]):
    """Return what each of many comparisons says of the agent's reward, and of an equal one on the same sessions.

    Each table has queries of its own, which an LLM answers right with its chance in the context; sessions draw them.
    """
    rng = np.random.default_rng(seed)
    chances = np.array([means, np.roll(means, 1)])  # another LLM is best in the other context
    right = rng.random((N_TABLES, 2, n_queries, len(means))) < chances[:, None]
    asked = rng.permuted(np.tile(np.arange(n_queries), (N_TABLES, 2, n_sessions, 1)), axis=3)[..., :length]
    pairs = [routed(name, right, asked, seed + own) for own in (1, 2)]
    resamples = [Resamples(n_queries, 0, context) for context in CONTEXTS]
    return [
        tuple(
            pooled([resamples[c].mean(rewards[table, c], asked[table, c], SESSIONS) for c in (0, 1)])
            for rewards in pairs
        )
        for table in range(N_TABLES)
    ]


def routed(name: str, right: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    """Return the rewards of learners, one per session, shape (tables, contexts, sessions, steps)."""
    n_llms, shape = right.shape[-1], asked.shape
    task = RoutingTask(
        n_actions=n_llms,
        observation_size=1,
        llm_names=tuple(f"llm{llm}" for llm in range(n_llms)),
        expected_cost_usd=(0.0,) * n_llms,
        reward_bounds=(0.0, 1.0),
    )
    tables, contexts, _ = np.indices(shape[:3]).reshape(3, -1)
    queries = asked.reshape(-1, shape[-1])
    agent = make_agent(name, task, n_sessions=len(queries), seed=seed)
    rewards = []
    for step in range(shape[-1]):
        action = agent.select_action(None)
        rewards.append(right[tables, contexts, queries[:, step], action].astype(float))
        agent.update(None, action, rewards[-1])
    return np.stack(rewards, axis=1).reshape(shape)


def coverage(pairs: list[tuple[Estimate, Estimate]], factor: float) -> tuple[float, float]:
    """Return how often the interval holds the mean over all tables, and how often two equal agents are told apart."""
    truth = np.mean([ours.mean for ours, _ in pairs])
    held = [ours.widened(factor).interval() for ours, _ in pairs]
    apart = [(ours - theirs).widened(factor).interval() for ours, theirs in pairs]
    return (
        float(np.mean([interval["low"] <= truth <= interval["high"] for interval in held])),
        float(np.mean([not interval["low"] <= 0 <= interval["high"] for interval in apart])),
    )


SETTINGS = (
    {"n_queries": 100, "length": 80, "n_sessions": 12, "means": (0.3, 0.5, 0.8)},
    {"n_queries": 150, "length": 100, "n_sessions": 30, "means": (0.4, 0.5, 0.6, 0.7)},
)


@pytest.mark.parametrize("setting", SETTINGS, ids=["few sessions", "more sessions"])
@pytest.mark.parametrize("name", ["thompson_beta", "epsilon_greedy_q", "learning_automaton", "ucb1"])
def test_intervals_of_learners_hold_the_truth_as_often_as_they_say(name: str, setting: dict):
    """Other queries would have taught the agent to choose otherwise; the intervals have to hold that too."""
    covered, told_apart = coverage(estimates(name, seed=7, **setting), LEARNING)
    assert 0.92 <= covered <= 0.98
    assert told_apart <= 0.04
