"""Q-learning per context."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent

FIRST, SECOND = np.eye(2)


def agent_for(task, **changes):
    return make_agent("per_context_q", task, **({"step_size": 0.5, "epsilon": 0.1, "epsilon_decay": 0.5} | changes))


def test_contexts_share_nothing(make_task):
    agent = agent_for(make_task(2, observation_size=2))
    agent.update(FIRST, 0, 1.0)
    agent.update(SECOND, 1, 2.0)
    agent.update(SECOND, 1, 2.0)
    np.testing.assert_array_equal(agent.values[0], [[0.5, 0], [0, 1.5]])
    # One visit leaves epsilon 0.5, two leave 0.25.
    np.testing.assert_allclose(agent.action_probabilities(FIRST), [0.75, 0.25])
    np.testing.assert_allclose(agent.action_probabilities(SECOND), [0.125, 0.875])


def test_with_one_context_it_is_stateless_q_learning(make_task):
    task = make_task(3, observation_size=1)
    settings = {"step_size": 0.2, "epsilon": 0.05, "epsilon_decay": 0.9}
    contextual = agent_for(task, **settings)
    stateless = make_agent("epsilon_greedy_q", task, commit_rounds=None, **settings)
    rng = np.random.default_rng(0)
    for _ in range(50):
        action, reward = int(rng.integers(3)), rng.normal()
        contextual.update([1.0], action, reward)
        stateless.update(None, action, reward)
        np.testing.assert_allclose(contextual.action_probabilities([1.0]), stateless.action_probabilities(None))


@pytest.mark.parametrize(
    ("name", "value"), [("step_size", 0.0), ("initial_value", np.inf), ("epsilon", 2.0), ("epsilon_decay", -1.0)]
)
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"PerContextQ: {name} must be .*, got {value!r}"):
        make_agent("per_context_q", make_task(), **{name: value})
