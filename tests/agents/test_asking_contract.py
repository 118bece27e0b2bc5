"""What every agent of `PickLLM-Multi-v0` must do, in that environment."""

import copy
import inspect
import pickle
from pathlib import Path

import numpy as np
import pytest
from asking_tables import asking_task, full_table, made

from llm_routing_env.agents import ASKING_AGENTS, agent_class, describe_agents, make_agent
from llm_routing_env.agents.parts.ask_view import seen_of_asks

NEEDS_THREE = {"smoothie_pick"}
pytestmark = pytest.mark.parametrize("name", sorted(ASKING_AGENTS))


def asked(agent, env, seed=3):
    """Return the actions of a session of every sub-environment."""
    observation, info = env.reset(seed=seed)
    actions, ended = [], np.zeros(env.num_envs, dtype=bool)
    while not ended.any():
        seen = observation
        actions.append(agent.select_action(seen, info["action_mask"]))
        observation, reward, _, ended, info = env.step(actions[-1])
        agent.update(seen, actions[-1], reward)
    return np.array(actions)


def test_it_says_where_it_lives(name):
    described = {entry["name"]: entry for entry in describe_agents()}[name]
    kind = agent_class(name)
    assert (kind.environment, described["protocol"]) == ("PickLLM-Multi-v0", kind.protocol())
    assert "pretrained" in kind.protocols()
    assert inspect.getdoc(kind)
    agent, _ = made(name)
    assert all(getattr(agent, parameter) == value for parameter, value in kind.hyperparameters().items())


def test_the_same_seed_gives_the_same_asks_and_every_query_ends(name):
    first, env = made(name)
    again, _ = made(name)
    np.testing.assert_array_equal(asked(first, env), asked(again, env))


def test_a_row_of_a_batch_is_a_single_agent(name):
    batch, env = made(name, 3)
    single, _ = made(name, None)
    observation, info = env.reset(seed=1)
    for _ in range(8):
        actions = batch.select_action(observation, info["action_mask"])
        each = [single.select_action(row, mask) for row, mask in zip(observation, info["action_mask"], strict=True)]
        assert actions.tolist() == each
        chances = batch.action_probabilities(observation, info["action_mask"])
        np.testing.assert_array_equal(chances.argmax(axis=1), actions)
        observation, *_, info = env.step(actions)


@pytest.mark.parametrize("kept", [copy.deepcopy, lambda agent: pickle.loads(pickle.dumps(agent))])
def test_a_copy_asks_as_it_does(name, kept):
    agent, env = made(name)
    np.testing.assert_array_equal(asked(kept(agent), env), asked(agent, env))


def test_it_is_saved_and_loaded(name, tmp_path: Path):
    agent, env = made(name)
    agent.save(tmp_path / "agent.npz")
    again = agent_class(name).load(tmp_path / "agent.npz", agent.task)
    np.testing.assert_array_equal(asked(again, env), asked(agent, env))


def test_what_is_masked_it_never_asks(name):
    agent, env = made(name)
    observation, _ = env.reset(seed=0)
    for llm in range(4):
        mask = np.zeros((5, 5), dtype=np.int8)
        mask[:, llm] = 1
        assert (agent.select_action(observation, mask) == llm).all()


def test_it_is_refused_elsewhere(name):
    from llm_routing_env.envs import PickLLMEnv

    with pytest.raises(ValueError, match=r"one of PickLLM-Multi-v0, an action for each LLM and one more, got 4"):
        make_agent(name, PickLLMEnv(observation="none").task)
    measures = seen_of_asks(agent_class(name).observation)[1]
    task = asking_task(3, measures=measures)
    if agent_class(name).feedback == "full":
        with pytest.raises(RuntimeError, match="is not fitted"):
            make_agent(name, task).select_action(np.zeros(task.observation_size))
    with pytest.raises(ValueError, match=r"training_table must be of \(observation size, LLMs\) \(1, 3\), got"):
        make_agent(name, task).fit(full_table([[0, 1]], [[1, 0]]))


def test_two_llms_are_enough_or_it_says_that_they_are_not(name):
    measures = seen_of_asks(agent_class(name).observation)[1]
    task, right = asking_task(2, measures=measures), [[1, 0], [1, 1], [0, 0]] * 3
    if name in NEEDS_THREE:
        with pytest.raises(ValueError, match="one of 3 LLMs or more, to see who differs, got 2"):
            make_agent(name, task)
        return
    agent = make_agent(name, task)
    told = dict.fromkeys(measures, right)
    agent.fit(full_table([[0, 1], [0, 0], [1, 2]] * 3, right, seen=[[0.0], [1.0], [2.0]] * 3, measures=told))
    assert agent.select_action(np.zeros(task.observation_size)) == 0
