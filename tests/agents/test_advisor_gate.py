"""Advisor gate: what it learns, against what theory says of fees, signals and perfect knowledge."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from asking_tables import asking_task, full_table

from llm_routing_env.agents import RoutingTask, make_agent
from llm_routing_env.agents.parts.ask_view import write_asks

N = 4_000


def seen(query: Any, n_asked: int) -> np.ndarray:
    """Return an observation of two LLMs, the base asked first."""
    order = np.array([[1 if n_asked else 0, 2 if n_asked > 1 else 0]])
    asks = write_asks(order, order, np.zeros((1, 2)), [], np.zeros(1, dtype=bool))[0]
    return np.concatenate([np.atleast_1d(query), asks])


def routed(agent: Any, rng: np.random.Generator, n_queries: int, fee: float, *, tell: bool = True) -> np.ndarray:
    """Route queries: the base, free, is right where x < 0.7; the advisor always is. Return who asked, and x."""
    asked = []
    for _ in range(n_queries):
        x = rng.random()
        steps = [(seen(x, 0), 0, 0.0)]
        asks = agent.select_action(seen(x, 1)) == 1
        right = float(asks or x < 0.7)
        steps += [(seen(x, 1), 1, -fee), (seen(x, 2), 1, right)] if asks else [(seen(x, 1), 0, right)]
        assert agent.select_action(steps[0][0]) == 0
        for observation, action, reward in steps if tell else ():
            agent.update(observation, action, reward, {"accuracy": right, "cost_usd": 0.0, "latency_s": 0.0})
        asked.append((asks, x))
    return np.array(asked)


def test_it_learns_where_the_advisor_is_worth_its_fee():
    agent = make_agent("advisor_gate", asking_task(2))
    rng = np.random.default_rng(0)
    routed(agent, rng, 600, 0.2)
    asks, x = routed(agent, rng, 400, 0.2).T
    # The line through right and wrong answers crosses the fee: it asks of the high x and not of the low ones.
    assert asks[x > 0.8].mean() > 0.95
    assert asks[x < 0.3].mean() < 0.05


def test_a_fee_that_nothing_outweighs_is_never_paid():
    agent = make_agent("advisor_gate", asking_task(2))
    rng = np.random.default_rng(0)
    routed(agent, rng, 50, 1e6)
    assert routed(agent, rng, 200, 1e6)[:, 0].sum() == 0


@pytest.mark.parametrize(("signal", "asks"), [("reward", True), ("lagr", False)])
def test_a_rare_gain_pays_where_the_papers_signal_says_that_it_does_not(signal: str, asks: bool):
    # Advice is right in 3 of 10, where it gains 1; it costs .25: worth +.05, while 2 x .3 - 1 is -.4.
    right = np.zeros((10, 2))
    right[:3, 1] = 1
    agent = make_agent("advisor_gate", asking_task(2, weights=(1, 1, 0)), signal=signal)
    agent.fit(full_table(np.tile([0, 1], (10, 1)), right, cost_usd=[0.0, 0.25]))
    assert (agent.select_action(seen(0.0, 1)) == 1) is asks


def test_perfect_knowledge_takes_the_better_of_both_for_each_query():
    rng = np.random.default_rng(0)
    kinds = rng.integers(3, size=N)
    right = np.array([[1, 1], [0, 1], [0, 0]])[kinds]
    agent = make_agent("advisor_gate", asking_task(2, size=3, weights=(1, 1, 0)), ridge=1e-6)
    agent.fit(full_table(np.zeros((N, 2), dtype=int), right, cost_usd=[0.0, 0.25], seen=np.eye(3)[kinds]))
    assert [agent.select_action(seen(np.eye(3)[kind], 1)) for kind in range(3)] == [0, 1, 0]


def test_a_fitted_gate_learns_nothing_more():
    agent = make_agent("advisor_gate", asking_task(2, weights=(1, 1, 0)))
    agent.fit(full_table([[0, 1]] * 4, [[0, 1]] * 4, cost_usd=[0.0, 0.25]))
    before = agent.coefficients.copy()
    routed(agent, np.random.default_rng(0), 20, 5.0)
    np.testing.assert_array_equal(agent.coefficients, before)
    assert not agent.regressions.responses.any()


def test_a_measure_of_the_bases_answer_tells_when_to_ask():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(-1, 1, (N, 2))
    right = np.stack([confidence[:, 0] > 0, np.ones(N)], axis=1)
    task = asking_task(2, weights=(1, 1, 0), measures=["confidence"])
    task = RoutingTask(**{**vars(task), "observation": "none+asks+confidence"})
    agent = make_agent("advisor_gate", task, observation="none+asks+confidence")
    agent.fit(full_table(np.zeros((N, 2), int), right, cost_usd=[0.0, 0.25], measures={"confidence": confidence}))

    def shown(rank: float) -> np.ndarray:
        order = np.array([[1, 0]])
        measure = [np.array([[rank, -1.0]])]
        return np.append(0.0, write_asks(order, order, np.zeros((1, 2)), measure, np.zeros(1, dtype=bool))[0])

    assert [agent.select_action(shown(rank)) for rank in (-0.9, -0.5, 0.5, 0.9)] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"advisor": "llm-0"}, "advisor must be another LLM than the base, got 'llm-0'"),
        ({"base": "llm-1", "advisor": "llm-1"}, "another LLM than the base"),
        ({"advisor": "lm-1"}, "Unknown LLM 'lm-1'. Did you mean 'llm-1'"),
        ({"signal": "reword"}, "Unknown signal 'reword'. Did you mean 'reward'"),
        ({"alpha": -1}, "alpha must be at least 0"),
        ({"ridge": 0}, "ridge must be positive"),
    ],
)
def test_what_cannot_be_is_refused(parameters: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        make_agent("advisor_gate", asking_task(2), **parameters)


def test_the_papers_signal_needs_the_accuracy():
    agent = make_agent("advisor_gate", asking_task(2), signal="lagr")
    with pytest.raises(ValueError, match=r'outcome must be one with the accuracy, as signal="lagr" needs it'):
        agent.update(seen(0.0, 1), 0, 1.0)


def test_a_measure_that_compares_answers_says_nothing_of_one():
    task = replace(asking_task(3, measures=("smoothie",)), observation="embedding+asks+smoothie")
    with pytest.raises(ValueError, match="'smoothie' compares several answers, and this goes by one LLM's alone"):
        make_agent("advisor_gate", task, observation="embedding+asks+smoothie")
