"""The paper's learners begin each session anew; others carry on."""

import numpy as np
import pytest

from llm_routing_env.agents import AGENTS, agent_class, make_agent

APART = ("learning_automaton", "epsilon_greedy_q")
CARRY_ON = sorted(name for name in AGENTS if agent_class(name).feedback == "bandit" and name not in APART)


@pytest.mark.parametrize("n_sessions", [None, 3])
@pytest.mark.parametrize("name", APART)
def test_a_new_session_is_as_the_first_was(name, n_sessions, make_task):
    agent = make_agent(name, make_task(), n_sessions=n_sessions, seed=0)
    before = {key: array.copy() for key, array in agent.state().items()}
    for _ in range(60):
        action = agent.select_action(None)
        agent.update(None, action, 1.0 * (np.asarray(action) == 1))
    agent.begin_session()
    for key, array in agent.state().items():
        np.testing.assert_array_equal(array, before[key], key)


@pytest.mark.parametrize("name", CARRY_ON)
def test_others_carry_on(name, make_task):
    task = make_task()
    agent = make_agent(name, task, n_sessions=3, seed=0)
    seen = np.eye(task.observation_size)[:3]
    for _ in range(30):
        action = agent.select_action(seen)
        agent.update(seen, action, 1.0 * (action == 1))
    before = {key: array.copy() for key, array in agent.state().items()}
    agent.begin_session()
    for key, array in agent.state().items():
        np.testing.assert_array_equal(array, before[key], key)


@pytest.mark.parametrize("name", APART)
def test_the_first_session_starts_from_nothing_whatever_is_kept(name, make_task):
    fresh, kept = (make_agent(name, make_task(), n_sessions=2, seed=0, prior=prior) for prior in ("fresh", "kept"))
    for agent in (fresh, kept):
        agent.begin_session()
    for _ in range(20):
        action = fresh.select_action(None)
        np.testing.assert_array_equal(kept.select_action(None), action)
        for agent in (fresh, kept):
            agent.update(None, action, 0.25 * action)
    np.testing.assert_array_equal(fresh.action_probabilities(None), kept.action_probabilities(None))


@pytest.mark.parametrize("n_sessions", [1, 2])
def test_the_automaton_keeps_the_mean_of_what_its_sessions_ended_with(n_sessions, make_task):
    given = {"prior": "kept", "normaliser": "bounds", "learning_rate": 0.5}
    agent = make_agent("learning_automaton", make_task(2), n_sessions=n_sessions, **given)

    def learn(action):
        agent.update(None, [action] * n_sessions, [1.0] * n_sessions)

    learn(0)  # from (1/2, 1/2) to (3/4, 1/4)
    agent.begin_session()
    np.testing.assert_allclose(agent.action_probabilities(None)[-1], [5 / 8, 3 / 8])
    learn(1)  # to (5/16, 11/16)
    agent.begin_session()
    expected = np.mean([[1 / 2, 1 / 2], [3 / 4, 1 / 4], [5 / 16, 11 / 16]], axis=0)
    np.testing.assert_allclose(agent.action_probabilities(None)[-1], expected)
    assert (agent.committed_action == -1).all()
    assert agent.n_updates == 0


def test_q_learning_keeps_each_arms_mean_reward_as_one_reward(make_task):
    agent = make_agent("epsilon_greedy_q", make_task(3), prior="kept")
    for action, reward in ((0, 0.2), (0, 0.6), (1, 1.0)):
        agent.update(None, action, reward)
    agent.begin_session()
    np.testing.assert_allclose(agent.arms.values.array, [[0.4, 1.0, 0.0]])
    agent.update(None, 0, 1.0)
    assert agent.arms.values.array[0, 0] == pytest.approx(0.7)  # the mean of .4 and 1
    agent.begin_session()
    np.testing.assert_allclose(agent.arms.values.array, [[0.6, 1.0, 0.0]])  # of .2, .6 and 1
    assert agent.current_epsilon() == 1.0


@pytest.mark.parametrize("name", APART)
def test_what_is_kept_is_saved(name, make_task, tmp_path):
    agent = make_agent(name, make_task(), n_sessions=2, seed=0, prior="kept")
    for _ in range(10):
        agent.update(None, [0, 1], [1.0, 0.0])
    agent.begin_session()
    agent.save(tmp_path / "agent.npz")
    loaded = agent_class(name).load(tmp_path / "agent.npz", make_task())
    loaded.begin_session()
    for one in (agent, loaded):
        one.update(None, [1, 1], [1.0, 1.0])
        one.begin_session()
    np.testing.assert_array_equal(agent.action_probabilities(None), loaded.action_probabilities(None))


@pytest.mark.parametrize("name", APART)
def test_an_unknown_prior_is_refused(name, make_task):
    with pytest.raises(ValueError, match="prior must be one of fresh, kept, got 'old'"):
        make_agent(name, make_task(), prior="old")


@pytest.mark.parametrize("prior", ["fresh", "kept"])
@pytest.mark.parametrize("name", APART)
def test_a_session_without_a_single_reward_is_over_too(name, prior, make_task):
    agent = make_agent(name, make_task(), seed=0, prior=prior)
    before = {key: array.copy() for key, array in agent.state().items()}
    for _ in range(200):
        agent.select_action(None)
    agent.begin_session()
    for key, array in agent.state().items():
        np.testing.assert_array_equal(array, before[key], key)
