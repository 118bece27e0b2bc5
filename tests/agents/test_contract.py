"""What every registered agent must do, whatever it learns."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import replace
from unittest import SkipTest

import gymnasium as gym
import numpy as np
import pytest

import llm_routing_env  # noqa: F401  registers PickLLM-v0
from llm_routing_env.agents import AGENTS, agent_class, describe_agents, make_agent
from llm_routing_env.agents.parts.signatures import takes
from llm_routing_env.evaluation.agent_checks import (
    CHECKS,
    make_ready,
    probabilities_of,
    skip_what_is_saved_elsewhere,
    skip_without_masks,
    trained,
)
from llm_routing_env.evaluation.made_tasks import make_task, make_training_table, observations_for

ALL = sorted(AGENTS)
# What these do depends on the position of an arm, not on its rewards alone: whom barp asks in training is drawn.
POSITIONAL = {"barp", "fixed", "round_robin"}


def skip_without_probabilities(agent, observation):
    if probabilities_of(agent, observation) is None:
        pytest.skip("it gives no action probabilities")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_passes_the_checks_of_anyones_agent_and_none_is_left_out(check, name):
    try:
        check(name)
    except SkipTest as reason:
        pytest.fail(f"left out: {reason}")


@pytest.mark.parametrize("name", ALL)
def test_description_is_complete(name):
    described = {entry["name"]: entry for entry in describe_agents()}[name]
    assert described["protocol"] in ("online", "pretrained")
    assert described["feedback"] in ("bandit", "full", "none")
    assert inspect.getdoc(agent_class(name))


@pytest.mark.parametrize("name", ALL)
def test_hyperparameters_are_stored_under_their_names(name):
    skip_what_is_saved_elsewhere(name, None)
    agent = make_agent(name, make_task())
    for parameter, default in agent.hyperparameters().items():
        assert getattr(agent, parameter) == default


def after_feedback(name, hyperparameter, value):
    """Return the probabilities or the actions of an agent that learned a little."""
    task, rng = make_task(), np.random.default_rng(0)
    agent = make_ready(name, task, n_sessions=4, **{hyperparameter: value})
    for observation in (seen := observations_for(name, task, 9, 4, rng))[:-1]:
        agent.update(observation, rng.integers(4, size=4), rng.random(4))
    chances = probabilities_of(agent, seen[-1])
    return agent.select_action(seen[-1]) if chances is None else chances


@pytest.mark.parametrize(
    ("name", "hyperparameter"),
    [(name, key) for name in ALL for key, value in agent_class(name).hyperparameters().items() if type(value) is float],
)
def test_a_whole_number_is_the_same_as_an_integer(name, hyperparameter):
    for whole in (1, 2, 0):
        try:
            expected = after_feedback(name, hyperparameter, float(whole))
        except ValueError:  # out of range
            with pytest.raises(ValueError, match=hyperparameter):
                after_feedback(name, hyperparameter, whole)
        else:
            np.testing.assert_array_equal(after_feedback(name, hyperparameter, whole), expected)
            return


@pytest.mark.parametrize("name", ALL)
def test_one_session_takes_and_gives_scalars(name):
    task = make_task()
    observation = observations_for(name, task, 1, 1, np.random.default_rng(0))[0, 0]
    agent = make_ready(name, task, seed=0)
    action = agent.select_action(observation)
    assert type(action) is int
    outcome = {"accuracy": 1.0, "cost_usd": 1e-4, "latency_s": 0.2}
    agent.update(observation, action, 0.5, **({"outcome": outcome} if takes(agent.update, "outcome") else {}))
    probabilities = probabilities_of(agent, observation)
    assert probabilities is None or probabilities.shape == (task.n_actions,)
    assert type(agent.committed_action) is int


@pytest.mark.parametrize("name", ALL)
def test_another_seed_gives_other_actions(name):
    task = make_task()
    (agent, observation), (other, _) = (trained(name, task, 64, seed=seed) for seed in (0, 1))
    probabilities = probabilities_of(agent, observation)
    if probabilities is None or probabilities.max() > 0.9:
        pytest.skip("it chooses without chance")
    assert (agent.select_action(observation) != other.select_action(observation)).any()


@pytest.mark.parametrize("n_sessions", [None, 3])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda agent: pickle.loads(pickle.dumps(agent))])
@pytest.mark.parametrize("name", ALL)
def test_a_copy_goes_on_as_the_agent_does(name, copied, n_sessions):
    task, rng = make_task(), np.random.default_rng(2)
    seen = observations_for(name, task, 40, n_sessions or 1, rng)
    agent = make_ready(name, task, n_sessions=n_sessions, seed=0)

    def route(learner, observations):
        chosen = []
        for observation in observations if n_sessions else observations[:, 0]:
            chosen.append(learner.select_action(observation))
            learner.update(observation, chosen[-1], 1.0 * np.asarray(chosen[-1]))
        return np.array(chosen)

    route(agent, seen[:20])
    again = copied(agent)
    np.testing.assert_array_equal(route(again, seen[20:]), route(agent, seen[20:]))
    for key, array in agent.state().items():
        np.testing.assert_array_equal(again.state()[key], array, key)


def test_actions_are_independent_of_an_environment_with_the_same_seed():
    agent = make_agent("random", make_task(2), n_sessions=1000, seed=5)
    environment = np.random.default_rng(5)
    assert np.corrcoef(agent.select_action(None), environment.random(1000))[0, 1] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("name", ALL)
def test_a_settled_agent_can_be_kept_from_its_arm(name):
    skip_without_masks(name)
    task = make_task()
    agent = make_ready(name, task, n_sessions=20, seed=0)
    observation = observations_for(name, task, 1, 20, np.random.default_rng(0))[0]
    for _ in range(200):
        action = agent.select_action(observation)
        agent.update(observation, action, (action == 0).astype(float))
    assert (agent.select_action(observation, np.array([False, True, True, True])) != 0).all()


@pytest.mark.parametrize("shift", [0.0, -3.0])
@pytest.mark.parametrize(
    ("hidden", "means"), [(2, [0.9, 0.3, 0.5]), (0, [1.0, 0.3, 0.9])], ids=["a middling arm", "the best arm"]
)
@pytest.mark.parametrize("name", [name for name in ALL if agent_class(name).feedback == "bandit"])
def test_it_learns_while_an_arm_is_never_available(name, hidden, means, shift):
    task, n_sessions = make_task(3), 100
    rng = np.random.default_rng(0)
    agent = make_agent(name, task, n_sessions=n_sessions, seed=0)
    seen = observations_for(name, task, 400, n_sessions, rng)
    actions = []
    for observation in seen:
        actions.append(agent.select_action(observation, np.arange(3) != hidden))
        rewards = rng.random(n_sessions) < np.array(means)[actions[-1]]
        agent.update(observation, actions[-1], rewards + shift)
    assert (np.array(actions[-100:]) == 2 - hidden).mean() > 0.8
    assert not (agent.committed_action == hidden).any()


@pytest.mark.parametrize("name", [name for name in ALL if agent_class(name).feedback == "bandit"])
def test_it_learns_while_arms_come_and_go(name):
    task, n_sessions = make_task(3), 100
    rng = np.random.default_rng(0)
    agent = make_agent(name, task, n_sessions=n_sessions, seed=0)
    best_is_picked = []
    for observation in observations_for(name, task, 400, n_sessions, rng):
        masks = rng.random((n_sessions, 3)) < 0.7
        masks[:, 0] |= ~masks.any(axis=1)
        action = agent.select_action(observation, masks)
        agent.update(observation, action, rng.random(n_sessions) < np.array([0.9, 0.3, 0.5])[action])
        best_is_picked.append((action == 0)[masks[:, 0]].mean())
    assert np.mean(best_is_picked[-100:]) > 0.75


@pytest.mark.parametrize("name", ALL)
def test_impossible_masks_are_refused(name):
    agent, observation = trained(name, make_task(), 2)
    with pytest.raises(ValueError, match=rf"{type(agent).__name__}: action_mask must be 1 for at least one"):
        agent.select_action(observation, [0, 0, 0, 0])
    with pytest.raises(ValueError, match=rf"{type(agent).__name__}: action_mask must be of shape"):
        agent.select_action(observation, [1, 1])


@pytest.mark.parametrize("name", ALL)
def test_a_reward_for_an_arm_that_was_not_available_is_refused(name):
    skip_without_masks(name)
    task = make_task()
    agent = make_ready(name, task, n_sessions=2, seed=0)
    observation = observations_for(name, task, 1, 2, np.random.default_rng(0))[0]
    agent.select_action(observation, [[1, 1, 1, 1], [1, 0, 1, 1]])
    with pytest.raises(ValueError, match=r"action must be one that the mask of the last select_action allowed, got"):
        agent.update(observation, [1, 1], [0.5, 0.5])
    agent.select_action(observation, [1, 0, 1, 1])
    agent.update(observation, [1, 1], [0.5, 0.5])  # with two rewards to come, this one may be of the choice before


@pytest.mark.parametrize("name", ALL)
def test_choices_are_counted_and_looking_is_none(name):
    task = make_task()
    agent = make_ready(name, task, n_sessions=3, seed=0)
    observation = observations_for(name, task, 1, 3, np.random.default_rng(0))[0]
    for _ in range(4):
        action = agent.select_action(observation)
        probabilities_of(agent, observation)
        agent.predict(observation)
    agent.update(observation, action, np.full(3, 0.5))
    np.testing.assert_array_equal(agent.n_selected, [4, 4, 4])
    assert agent.n_updates == 1


@pytest.mark.parametrize("name", sorted(set(ALL) - POSITIONAL))
def test_permuting_the_arms_permutes_the_behaviour(name):
    order = np.array([2, 0, 3, 1])
    task = make_task()
    permuted_task = make_task(expected_cost_usd=tuple(np.array(task.expected_cost_usd)[order]))
    table = make_training_table(task)
    outcomes = ("rewards", "accuracy", "cost_usd", "latency_s")
    permuted_table = replace(
        table,
        **{outcome: getattr(table, outcome)[:, order] for outcome in outcomes},
        response_distances=table.response_distances[:, order][:, :, order],
    )
    agent = make_ready(name, task, table=table, seed=0)
    permuted = make_ready(name, permuted_task, table=permuted_table, seed=0)
    rng = np.random.default_rng(2)
    seen = observations_for(name, task, 40, 1, rng)[:, 0]
    skip_without_probabilities(agent, seen[0])
    for observation in seen:
        arm, reward = int(rng.integers(4)), float(rng.random())
        permuted.update(observation, arm, reward)
        agent.update(observation, int(order[arm]), reward)
    for observation in seen[:10]:
        probabilities = agent.action_probabilities(observation)[order]
        np.testing.assert_allclose(permuted.action_probabilities(observation), probabilities, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("reward", [[np.nan, 0.0], [np.inf, 0.0], [0.0], [0.0, 0.0, 0.0]])
def test_bad_rewards_are_refused(name, reward):
    agent, observation = trained(name, make_task(), 2)
    with pytest.raises(ValueError, match=rf"{type(agent).__name__}: reward must be 2 finite number\(s\), got"):
        agent.update(observation, [0, 1], reward)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("action", [[0, 4], [-1, 0], [0.5, 1.0], [0]])
def test_bad_actions_are_refused(name, action):
    agent, observation = trained(name, make_task(), 2)
    with pytest.raises(ValueError, match=rf"{type(agent).__name__}: action must be 2 integer\(s\) from 0 to 3, got"):
        agent.update(observation, action, [0.0, 0.0])


@pytest.mark.parametrize("name", [name for name in ALL if agent_class(name).observation != "none"])
def test_bad_observations_are_refused(name):
    agent, observation = trained(name, make_task(), 2)
    if agent.observation == "prompt":
        with pytest.raises(ValueError, match=rf"{type(agent).__name__}: observation must be 2 text\(s\)"):
            agent.select_action(np.zeros((2, 5)))
        return
    with pytest.raises(ValueError, match=rf"{type(agent).__name__}: observation must be of shape \(2, 5\), got"):
        agent.select_action(observation[:, :3])
    with pytest.raises(ValueError, match=rf"{type(agent).__name__}: observation must be finite, got"):
        agent.update(observation * np.nan, [0, 1], [0.0, 0.0])


@pytest.mark.parametrize("name", [name for name in ALL if agent_class(name).feedback == "bandit"])
def test_agents_that_learn_online_cannot_be_fitted(name):
    with pytest.raises(TypeError, match="learns online from bandit feedback"):
        make_agent(name, make_task()).fit(None)


@pytest.mark.parametrize("name", ALL)
def test_stable_baselines3_can_evaluate_it(name):
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    if agent_class(name).observation == "prompt":
        pytest.skip("Stable-Baselines3 knows no texts")
    env = gym.make("PickLLM-v0", observation=agent_class(name).observation, max_episode_steps=3)
    agent = make_agent(name, env.unwrapped.task, seed=0)
    if agent.feedback == "full":
        table = env.unwrapped.problem.training_table(agent)
        agent.fit(table.part(queries=slice(0, 40)))
    observation, _ = env.reset(seed=0)
    for deterministic in (False,) if probabilities_of(agent, observation) is None else (False, True):
        returns, lengths = evaluation.evaluate_policy(
            agent, env, 2, deterministic=deterministic, return_episode_rewards=True, warn=False
        )
        assert lengths == [3, 3]
        assert np.isfinite(returns).all()


@pytest.mark.parametrize("name", ALL)
def test_predict_answers_one_observation_and_several(name):
    task = make_task()
    seen = observations_for(name, task, 1, 6, np.random.default_rng(0))[0]
    agent = make_ready(name, task, seed=0)
    assert agent.predict(seen[0], state="kept")[0].shape == ()
    assert agent.predict(seen)[0].shape == (6,)
    batch = make_ready(name, task, n_sessions=6, seed=0)
    for deterministic in (False,) if probabilities_of(batch, seen) is None else (False, True):
        actions, state = batch.predict(seen, "kept", deterministic=deterministic)
        assert actions.shape == (6,)
        assert state == "kept"
