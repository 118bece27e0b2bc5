"""MLP router: learns what a linear one cannot."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent

CORNERS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) / np.sqrt(2)


@pytest.fixture
def on_corners(make_task, make_training_table):
    """Return a function that fits a router where one LLM is right if the signs agree, the other if they do not.

    It gives the probability of the right LLM at each corner.
    """

    def make(name, **hyperparameters):
        task = make_task(2, observation_size=2)
        seen = np.tile(CORNERS, (15, 1)) + np.random.default_rng(0).normal(size=(60, 2)) / 10
        agree = seen.prod(axis=1) > 0
        agent = make_agent(name, task, n_sessions=4, seed=0, **hyperparameters)
        agent.fit(make_training_table(task, observations=seen, rewards=np.column_stack([agree, ~agree])))
        return agent.action_probabilities(CORNERS)[np.arange(4), [0, 1, 1, 0]]

    return make


def test_it_solves_an_exclusive_or_that_no_linear_router_can(on_corners):
    assert on_corners("linear_router").sum() <= 3
    assert on_corners("mlp_router", learning_rate=0.02, n_epochs=100).sum() == 4


def test_shifting_and_scaling_the_rewards_shifts_and_scales_the_predictions(make_task, make_training_table):
    task = make_task()
    table = make_training_table(task)
    scaled = make_training_table(task, rewards=1e3 * table.rewards - 40)
    scores = []
    for fitted_on in (table, scaled):
        agent = make_agent("mlp_router", task, seed=0)
        agent.fit(fitted_on)
        scores.append(agent._scores(table.observations))
    np.testing.assert_allclose(scores[1], 1e3 * scores[0] - 40, rtol=1e-6)


def test_without_a_signal_it_predicts_each_llms_mean(make_task, make_training_table):
    task = make_task()
    agent = make_agent("mlp_router", task, seed=0)
    agent.fit(make_training_table(task, rewards=np.tile([0.1, 0.4, 0.3, 0.2], (60, 1))))
    np.testing.assert_allclose(agent._scores(np.ones((1, 5))), [[0.1, 0.4, 0.3, 0.2]], rtol=0, atol=0.01)


def test_another_seed_gives_another_network(make_task, make_ready):
    first, second = (make_ready("mlp_router", make_task(), seed=seed) for seed in (0, 1))
    assert (first.network.hidden_weights != second.network.hidden_weights).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_units", 0), ("n_epochs", 0), ("batch_size", 0), ("learning_rate", 0.0), ("weight_decay", -0.1)],
)
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"MLPRouter: {name} must be .*, got {value!r}"):
        make_agent("mlp_router", make_task(), **{name: value})
