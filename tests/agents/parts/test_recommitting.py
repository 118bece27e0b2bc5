"""Page-Hinkley's test by hand, and agents that start anew when it finds a change."""

import numpy as np
import pytest

from llm_routing_env.agents import agent_class, make_agent
from llm_routing_env.agents.parts.recommitting import PageHinkley

NAMES = ("learning_automaton", "epsilon_greedy_q")
WATCHING = {"recommit": "page_hinkley", "recommit_delta": 0.1, "recommit_threshold": 3.0}


def changes_at(values, *, delta=0.1, threshold=0.9):
    test = PageHinkley(1, 1, delta=delta, threshold=threshold)
    return [step for step, value in enumerate(values) if test.add(np.array([0]), np.array([value]))[0]]


def test_the_sum_by_hand():
    """1, 1, 0, 0: means 1, 1, 2/3, 1/2; sums .1, .2, .2 - 2/3 + .1, that - 1/2 + .1; falls 0, 0, .5667, .9667."""
    test = PageHinkley(1, 2, delta=0.1, threshold=0.9)
    falls, changed = [], []
    for value in (1.0, 1.0, 0.0, 0.0):
        changed.append(bool(test.add(np.array([1]), np.array([value]))[0]))
        falls.append(float((test.peaks - test.sums)[0, 1]))
    np.testing.assert_allclose(falls, [0, 0, 17 / 30, 29 / 30], atol=1e-12)
    assert changed == [False, False, False, True]
    assert test.counts[0, 0] == 0


def test_a_rise_is_no_change():
    assert changes_at([0.0] * 20 + [1.0] * 20) == []


def test_what_lies_less_than_delta_below_the_mean_is_none():
    assert changes_at([0.5, 0.41] * 100, threshold=0.2) == []


def test_each_arm_of_each_session_has_its_own():
    rng = np.random.default_rng(0)
    actions, values = rng.integers(3, size=(90, 5)), rng.random((90, 5))
    many = PageHinkley(5, 3, delta=0.05, threshold=1.0)
    found = np.array([many.add(*step) for step in zip(actions, values, strict=True)])
    for session in range(5):
        for arm in range(3):
            its = actions[:, session] == arm
            steps = changes_at(values[its, session], delta=0.05, threshold=1.0)
            np.testing.assert_array_equal(np.flatnonzero(found[its, session]), steps)


def committed(name, make_task, n_sessions=1, **changes):
    """Return an agent with two arms, after 60 queries of which the second is worth 1 and the first 0."""
    agent = make_agent(name, make_task(2), n_sessions=n_sessions, seed=0, **changes)
    for _ in range(60):
        actions = agent.select_action(None)
        agent.update(None, actions, (actions == 1).astype(float))
    return agent


def after_a_swap(agent, steps=100):
    """Return the actions once the first arm is worth 1 and the second 0, shape (steps, sessions)."""
    actions = []
    for _ in range(steps):
        actions.append(agent.select_action(None))
        agent.update(None, actions[-1], (actions[-1] == 0).astype(float))
    return np.array(actions)


@pytest.mark.parametrize("name", NAMES)
def test_without_it_a_committed_agent_never_recovers(name, make_task):
    agent = committed(name, make_task, n_sessions=20)
    held = agent.committed_action
    assert (held >= 0).all()
    assert (after_a_swap(agent) == held).all()
    np.testing.assert_array_equal(agent.committed_action, held)


@pytest.mark.parametrize("name", NAMES)
def test_with_it_the_agent_starts_anew_and_finds_the_other_arm(name, make_task):
    agent = committed(name, make_task, n_sessions=20, **WATCHING)
    on_the_best = agent.committed_action == 1
    assert on_the_best.sum() >= 15
    actions = after_a_swap(agent)
    # Each is .9 at most below the mean, so the sum is down by 3 after 4 queries at the earliest.
    assert (actions[:4, on_the_best] == 1).all()
    assert (actions[8:, on_the_best] == 0).any(axis=0).all()
    assert (agent.committed_action[on_the_best] == 0).mean() > 0.8


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_start_is_that_of_a_new_agent(name, make_task):
    """The reward at which it starts anew is the first that it learns from; the test begins without any."""
    agent = committed(name, make_task, **WATCHING)
    assert agent.committed_action[0] == 1
    for _ in range(10):
        if agent.committed_action[0] == 1:
            agent.update(None, agent.select_action(None), np.zeros(1))
    fresh = make_agent(name, make_task(2), n_sessions=1, seed=0, **WATCHING)
    fresh.select_action(None)
    fresh.update(None, np.array([1]), np.zeros(1))
    for attribute, array in fresh.state().items():
        if attribute not in ("n_selected", "n_updates", "started") and not attribute.startswith("change."):
            np.testing.assert_array_equal(array, agent.state()[attribute], err_msg=attribute)
    assert not agent.change.counts.any()
    np.testing.assert_allclose(agent.action_probabilities(None), fresh.action_probabilities(None), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_rewards_of_other_arms_say_nothing_of_the_one_it_is_committed_to(name, make_task):
    agent = committed(name, make_task, **WATCHING)
    for _ in range(50):
        agent.update(None, np.array([0]), np.zeros(1))
    assert agent.committed_action[0] == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_equals_single_agents(name, make_task):
    rng = np.random.default_rng(1)
    actions = (rng.random((300, 4)) < 0.9).astype(int)
    actions[:40] = 1
    rewards = 0.8 * actions + 0.2 * rng.random((300, 4)) * (np.arange(300) > 0)[:, None]
    rewards[150:] /= 10
    many = make_agent(name, make_task(2), n_sessions=4, seed=0, **WATCHING | {"recommit_threshold": 0.5})
    ones = [make_agent(name, make_task(2), seed=0, **WATCHING | {"recommit_threshold": 0.5}) for _ in range(4)]
    for action, reward in zip(actions, rewards, strict=True):
        many.select_action(None)
        many.update(None, action, reward)
        for one, a, r in zip(ones, action.tolist(), reward.tolist(), strict=True):
            one.select_action(None)
            one.update(None, a, r)
    assert (many.started.array > 0).any()
    np.testing.assert_array_equal(many.committed_action, [one.committed_action for one in ones])
    np.testing.assert_allclose(
        many.action_probabilities(None), [one.action_probabilities(None) for one in ones], atol=1e-12
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_agent_goes_on_watching(name, make_task, tmp_path):
    agent = committed(name, make_task, n_sessions=3, **WATCHING)
    for _ in range(2):
        agent.update(None, agent.select_action(None), np.zeros(3))
    agent.save(tmp_path / "agent.npz")
    loaded = agent_class(name).load(tmp_path / "agent.npz", make_task(2))
    np.testing.assert_array_equal(after_a_swap(loaded, 40), after_a_swap(agent, 40))
    np.testing.assert_array_equal(loaded.started, agent.started)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"recommit": "page_hinkly"}, "Did you mean 'page_hinkley'"),
        ({"recommit_delta": -1.0}, "recommit_delta must be at least 0"),
        ({"recommit_threshold": 0.0}, "recommit_threshold must be positive"),
    ],
)
def test_what_cannot_be_is_refused(name, given, said, make_task):
    with pytest.raises(ValueError, match=said):
        make_agent(name, make_task(2), **given)
