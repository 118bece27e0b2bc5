"""Linear reward-inaction against its theory: where it is absorbed, how fast, and that it improves on average.

Bounds for two arms with 0/1 rewards of means d1 > d2, step b and start p (Norman; Narendra and Thathachar): with
V(u) = (exp(u) - 1) / u, V(low) = d1 / d2 and V(-high) = d2 / d1,

    (1 - exp(-low p / b)) / (1 - exp(-low / b)) <= P(absorbed at 1) <= the same with ``high``.

The lower bound also holds for any rewards in [0, 1] and, with the second-best mean for d2, for more arms. The exact
probabilities are numerical solutions of the functional equation that absorption obeys.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from llm_routing_env.agents import make_agent

SESSIONS = 1500
# Near absorption, where what is left cannot change the share of sessions noticeably.
THRESHOLD = 1e-3


class TwoArms(NamedTuple):
    """Bounds and exact probability for 0/1 rewards, simulated ones for Beta(4 d, 4 (1 - d)) and for sure rewards d."""

    means: tuple[float, float]
    step: float
    lower: float
    exact: float
    upper: float
    beta: float
    sure: float


TWO_ARMS = [
    TwoArms((0.8, 0.6), 0.5, 0.6342, 0.6405, 0.6470, 0.681, 0.694),
    TwoArms((0.8, 0.6), 0.2, 0.7983, 0.8098, 0.8197, 0.869, 0.887),
    TwoArms((0.8, 0.6), 0.1, 0.9400, 0.9484, 0.9539, 0.977, 0.985),
    TwoArms((0.8, 0.6), 0.05, 0.9959, 0.9971, 0.9977, 0.999, 1.000),
    TwoArms((0.6, 0.5), 0.2, 0.7080, 0.7139, 0.7193, 0.806, 0.842),
    TwoArms((0.6, 0.5), 0.05, 0.9719, 0.9753, 0.9773, 0.997, 0.999),
    TwoArms((0.9, 0.2), 0.5, 0.9248, 0.9649, 0.9884, 0.994, 0.996),
]
FOUR_ARMS = [
    ((0.3, 0.2, 0.15, 0.1), 0.852, 0.951),
    ((0.6, 0.5, 0.45, 0.4), 0.605, 0.740),
    ((0.9, 0.8, 0.75, 0.7), 0.487, 0.599),
]


def absorption_root(ratio, low, high):
    """Solve (exp(u) - 1) / u = ratio for u between ``low`` and ``high`` by bisection."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.expm1(middle) / middle < ratio else (low, middle)
    return (low + high) / 2


def bounds(best, second, step, start):
    """Return the lower and the upper bound on the probability of being absorbed at the best arm."""
    roots = absorption_root(best / second, 1e-9, 50.0), -absorption_root(second / best, -50.0, -1e-9)
    return [np.expm1(-root * start / step) / np.expm1(-root / step) for root in roots]


def share_absorbed_at_best(agent, draw, play):
    play(agent, draw, 5000, seed=1, stop_when_committed=True)
    assert (agent.commitments >= 0).all()
    return (agent.commitments == 0).mean()


def automata(task, step, n_sessions=SESSIONS, threshold=THRESHOLD):
    return make_agent(
        "learning_automaton",
        task,
        n_sessions=n_sessions,
        seed=0,
        learning_rate=step,
        normaliser="bounds",
        threshold=threshold,
    )


def standard_error(probability):
    return np.sqrt(probability * (1 - probability) / SESSIONS)


for_two_arms = pytest.mark.parametrize("case", TWO_ARMS, ids=lambda case: f"{case.means}-{case.step}")


@for_two_arms
def test_bounds_have_their_published_values(case):
    np.testing.assert_allclose(bounds(*case.means, case.step, 0.5), [case.lower, case.upper], rtol=0, atol=6e-5)
    assert case.lower <= case.exact <= case.upper


@for_two_arms
def test_two_armed_absorption_is_as_predicted(case, make_task, bernoulli, play):
    share = share_absorbed_at_best(automata(make_task(2), case.step), bernoulli(*case.means), play)
    error = standard_error(case.exact)
    assert share == pytest.approx(case.exact, abs=3 * error + 1e-3)
    assert case.lower - 3 * error <= share <= case.upper + 3 * error


@for_two_arms
def test_rewards_with_less_noise_are_absorbed_better(case, make_task, play):
    def draw_sure(action, rng):
        return np.array(case.means)[action]

    def draw_beta(action, rng):
        mean = draw_sure(action, rng)
        return rng.beta(4 * mean, 4 * (1 - mean))

    for draw, expected in ((draw_beta, case.beta), (draw_sure, case.sure)):
        share = share_absorbed_at_best(automata(make_task(2), case.step), draw, play)
        assert share == pytest.approx(expected, abs=3 * standard_error(expected) + 2e-3)
        assert share >= case.lower


@pytest.mark.parametrize(("means", "lower", "simulated"), FOUR_ARMS)
def test_four_armed_absorption_depends_on_the_level_of_the_rewards(means, lower, simulated, make_task, bernoulli, play):
    assert bounds(*means[:2], 0.1, 0.25)[0] == pytest.approx(lower, abs=6e-4)
    share = share_absorbed_at_best(automata(make_task(4), 0.1), bernoulli(*means), play)
    assert share >= lower
    assert share == pytest.approx(simulated, abs=3 * standard_error(simulated) + 5e-3)


@pytest.mark.parametrize(
    ("means", "predicted", "simulated"),
    [((0.8, 0.6), 1472, 1512), ((0.8, 0.4), 736, 741), ((0.9, 0.1), 368, 368)],
)
def test_mean_path_takes_as_long_as_the_replicator_equation(means, predicted, simulated, make_task, bernoulli, play):
    step, goal = 0.01, 0.95
    assert predicted == pytest.approx(np.log(goal / (1 - goal)) / (step * (means[0] - means[1])), abs=0.5)
    agent = automata(make_task(2), step, n_sessions=1000, threshold=0.0)
    draw, rounds = bernoulli(*means), 0
    while agent.probabilities.array[:, 0].mean() < goal:
        play(agent, draw, 1, seed=rounds)
        rounds += 1
    assert rounds == pytest.approx(simulated, rel=0.02)


def test_mean_reward_grows_on_average_from_any_point(make_task, bernoulli):
    """Absolute expediency: E[step] is b p_i (d_i - mean), so the expected reward never falls on average."""
    means, step = np.array([0.7, 0.3, 0.5]), 0.2
    rng = np.random.default_rng(0)
    for start in rng.dirichlet(np.ones(3), size=5):
        agent = automata(make_task(3), step, n_sessions=200_000, threshold=0.0)
        agent.probabilities.array = np.tile(start, (agent.n_sessions or 1, 1))
        action = agent.select_action(None)
        agent.update(None, action, bernoulli(*means)(action, rng))
        drift = agent.probabilities.array.mean(axis=0) - start
        np.testing.assert_allclose(drift, step * start * (means - start @ means), atol=1.5e-3)
        assert drift @ means > 0
