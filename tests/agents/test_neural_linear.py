"""NeuralLinear."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def experience(n_rounds, n_sessions=2, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(n_rounds):
        seen = rng.normal(size=(n_sessions, 5))
        yield seen, rng.integers(4, size=n_sessions), rng.normal(size=n_sessions)


def test_with_the_query_as_features_it_is_lin_ts(make_task):
    given = {"n_sessions": 2, "seed": 3, "scale": 0.3, "ridge": 1.0}
    neural = make_agent("neural_linear", make_task(), hidden_units=0, **given)
    linear = make_agent("lin_ts", make_task(), **given)
    for seen, action, reward in experience(120):
        np.testing.assert_array_equal(neural.select_action(seen), linear.select_action(seen))
        neural.update(seen, action, reward)
        linear.update(seen, action, reward)
    np.testing.assert_array_equal(neural.action_probabilities(seen), linear.action_probabilities(seen))


def test_features_change_at_refits_only(make_task):
    agent = make_agent("neural_linear", make_task(), n_sessions=2, seed=0, refit_every=10, refit_steps=2)
    initial = agent.network.hidden_weights.copy()
    for step, (seen, action, reward) in enumerate(experience(10), start=1):
        agent.update(seen, action, reward)
        assert (agent.network.hidden_weights == initial).all() == (step < 10)


def test_heads_fit_the_refitted_features(make_task):
    small = {"refit_every": 10, "refit_steps": 2, "hidden_units": 16}
    agent = make_agent("neural_linear", make_task(), n_sessions=2, seed=0, **small)
    for seen, action, reward in experience(13):
        agent.update(seen, action, reward)
    observations, actions, _ = agent.memory.recall()
    features = agent.network.features(np.concatenate([np.ones((2, 13, 1)), observations], axis=2))
    for session in range(2):
        asked = features[session, actions[session] == 1]
        inverse = np.linalg.inv(np.eye(17) + asked.T @ asked)
        np.testing.assert_allclose(agent.regressions.inverses[session, 1], inverse, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_units", -1), ("refit_every", 0), ("refit_steps", -1), ("refit_rate", 0.0), ("capacity", 10)],
)
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"NeuralLinear: {name} must be .*, got {value!r}"):
        make_agent("neural_linear", make_task(), **{name: value})
