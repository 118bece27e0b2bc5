"""Stateless Q-learning, with values computed by hand and D8 of the theory."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def test_value_moves_a_step_towards_the_reward(make_task, learn):
    agent = make_agent("epsilon_greedy_q", make_task(2), step_size=0.5, initial_value=1.0)
    learn(agent, (0, 3.0), (0, 0.0), (1, -1.0))
    np.testing.assert_array_equal(agent.arms.values, [[1.0, 0.0]])


def test_sample_mean_steps_give_the_sample_mean(make_task, learn):
    rng = np.random.default_rng(0)
    actions, rewards = rng.integers(3, size=500), rng.normal(size=500)
    agent = make_agent("epsilon_greedy_q", make_task(3), step_size="sample_mean", initial_value=9.0)
    learn(agent, *zip(actions.tolist(), rewards, strict=True))
    means = [rewards[actions == arm].mean() for arm in range(3)]
    np.testing.assert_allclose(agent.arms.values.array[0], means, rtol=0, atol=1e-12)


@pytest.mark.parametrize("step_size", [0.05, 0.2])
def test_constant_steps_have_the_known_stationary_variance(step_size, make_task):
    """Under forced play, Var Q = alpha / (2 - alpha) Var R."""
    rng = np.random.default_rng(1)
    agent = make_agent("epsilon_greedy_q", make_task(2), n_sessions=20_000, step_size=step_size)
    for _ in range(int(8 / step_size)):
        agent.update(None, np.zeros(20_000, dtype=int), rng.normal(3.0, 2.0, size=20_000))
    values = agent.arms.values.array[:, 0]
    assert values.mean() == pytest.approx(3.0, abs=0.05)
    assert values.var() == pytest.approx(step_size / (2 - step_size) * 4.0, rel=0.05)


@pytest.mark.parametrize(
    ("hyperparameters", "expected"),
    [
        (
            {"exploration": "exponential", "epsilon_decay": 0.5, "epsilon": 0.1},
            [1, 0.5, 0.25, 0.125, 0.1, 0.1],
        ),
        ({"exploration": "constant", "epsilon": 0.3}, [0.3] * 6),
        ({"exploration": "inverse", "inverse_scale": 1.0}, [1, 1, 1, 2 / 3, 2 / 4, 2 / 5]),
    ],
)
def test_exploration_follows_its_schedule(hyperparameters, expected, make_task, learn):
    agent = make_agent("epsilon_greedy_q", make_task(2), **hyperparameters)
    schedule = []
    for _ in expected:
        schedule.append(agent.current_epsilon())
        learn(agent, (0, 1.0))
    np.testing.assert_allclose(schedule, expected)


def test_exploration_fades_with_choices_not_with_rewards(make_task):
    agent = make_agent("epsilon_greedy_q", make_task(2), epsilon_decay=0.5, epsilon=0.01)
    for _ in range(3):
        agent.select_action(None)
    assert agent.current_epsilon() == 0.125
    agent.update(None, 0, 1.0)
    assert agent.current_epsilon() == 0.125


def test_each_session_explores_by_its_own_clock(make_task):
    agent = make_agent("epsilon_greedy_q", make_task(2), n_sessions=2, epsilon_decay=0.5, epsilon=0.0)
    agent.update(None, [0, 0], [1.0, 1.0])
    agent.n_selected.array = np.array([1, 3])
    np.testing.assert_allclose(agent.action_probabilities(None), [[0.75, 0.25], [0.9375, 0.0625]])


def test_greedy_arm_gets_what_exploration_leaves(make_task, learn):
    agent = make_agent("epsilon_greedy_q", make_task(4), exploration="constant", epsilon=0.2)
    learn(agent, (2, 1.0))
    np.testing.assert_allclose(agent.action_probabilities(None), [0.05, 0.05, 0.85, 0.05])
    np.testing.assert_allclose(agent.action_probabilities(None, [1, 1, 0, 0]), [0.5, 0.5, 0, 0])


def test_it_commits_after_a_streak_of_one_greedy_arm(make_task, learn):
    agent = make_agent("epsilon_greedy_q", make_task(2), exploration="constant", epsilon=0.01, commit_rounds=3)
    learn(agent, (0, 1.0), (0, 1.0), (1, 20.0), (1, 20.0))
    assert agent.committed_action == -1
    learn(agent, (1, 20.0))
    assert agent.committed_action == 1
    np.testing.assert_array_equal(agent.action_probabilities(None), [0, 1])


def test_it_does_not_commit_to_an_arm_that_is_not_available(make_task):
    """Arm 2 was never asked: its value of 0 is above all rewards."""
    agent = make_agent("epsilon_greedy_q", make_task(3), exploration="constant", epsilon=0.01, commit_rounds=3)
    for _ in range(4):
        agent.select_action(None, [1, 1, 0])
        agent.update(None, 0, -1.0)
        agent.update(None, 1, -20.0)
    assert agent.committed_action == 0


@pytest.mark.parametrize("hyperparameters", [{"epsilon": 0.05}, {"epsilon": 0.01, "commit_rounds": None}])
def test_it_never_commits_while_it_explores_or_where_told_not_to(hyperparameters, make_task, learn):
    agent = make_agent("epsilon_greedy_q", make_task(2), exploration="constant", **hyperparameters)
    learn(agent, *[(0, 1.0)] * 100)
    assert agent.committed_action == -1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step_size", 0.0),
        ("step_size", 1.1),
        ("step_size", "mean"),
        ("initial_value", np.nan),
        ("exploration", "sometimes"),
        ("epsilon", -0.1),
        ("epsilon_decay", 1.5),
        ("inverse_scale", 0.0),
        ("commit_rounds", 0),
        ("commit_epsilon", 2.0),
    ],
)
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"EpsilonGreedyQ: {name} must be .*, got {value!r}"):
        make_agent("epsilon_greedy_q", make_task(), **{name: value})
