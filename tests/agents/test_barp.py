"""BaRP: the gradient, the ends of the preference, and what is refused."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.barp import _ENTROPY, policy_gradient, preference_features
from llm_routing_env.agents.parts.distributions import softmax
from llm_routing_env.envs.objectives import Objectives
from llm_routing_env.envs.problem import RoutingProblem


def test_the_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(0)
    logits, asked, ahead = rng.normal(size=(6, 2)), rng.integers(2, size=6), rng.normal(size=6)

    def loss(logits):
        logs = np.log(softmax(logits.copy()))
        entropy = -(np.exp(logs) * logs).sum(axis=1)
        return float((-ahead * logs[np.arange(6), asked] - _ENTROPY * entropy).sum())

    found = policy_gradient(softmax(logits.copy()), asked, ahead)
    for place in np.ndindex(6, 2):
        step = np.zeros((6, 2))
        step[place] = 1e-6
        assert found[place] == pytest.approx((loss(logits + step) - loss(logits - step)) / 2e-6, abs=1e-6)


def test_a_preference_is_seen_with_its_square_and_root():
    np.testing.assert_allclose(
        preference_features(np.array([[0.25, 0.75]]))[0], [0.25, 0.75, 0.0625, 0.5625, 0.5, 0.75**0.5]
    )


@pytest.fixture(scope="module")
def world():
    """Two LLMs: the dear one is always right, the cheap one where the first number is positive."""
    rng = np.random.default_rng(0)
    seen = np.sign(rng.normal(size=(300, 1))) * [[1.0, 0.0, 0.0]] + rng.normal(scale=0.1, size=(300, 3))
    return seen, np.stack([seen[:, 0] > 0, np.ones(300)], axis=1).astype(float), np.tile([0.001, 0.01], (300, 1))


EASY, HARD = [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]


@pytest.mark.parametrize(("preference", "asked"), [(0.0, [0, 0]), (0.7, [0, 1])])
def test_the_preference_turns_what_one_policy_does(preference, asked, world, make_task, make_training_table):
    """Cost alone: the cheapest LLM. At .7 a right answer is worth more than the dear one's cost, .3."""
    seen, right, cost = world
    task = make_task(2, observation_size=3)
    table = make_training_table(
        task, n_queries=300, observations=seen, accuracy=right, cost_usd=cost, rewards=right - 50 * cost
    )
    agent = make_agent("barp", task, n_sessions=2, seed=0, preference=preference, hidden_units=8, n_steps=1500)
    agent.fit(table)
    assert agent.select_action([EASY, HARD]).tolist() == asked


def test_accuracy_rises_with_the_preference_and_the_same_seed_is_the_same_policy(world, make_task, make_training_table):
    seen, right, cost = world
    task = make_task(2, observation_size=3)
    table = make_training_table(task, n_queries=300, observations=seen, accuracy=right, cost_usd=cost, rewards=right)
    agents = [make_agent("barp", task, seed=3, hidden_units=8, n_steps=800) for _ in range(2)]
    for agent in agents:
        agent.fit(table)
    np.testing.assert_array_equal(agents[0].output_weights, agents[1].output_weights)
    accuracies = []
    for preference in np.linspace(0, 1, 6):
        choices = agents[0]._logits(seen, agents[0]._worth(preference, 300)).argmax(axis=1)
        accuracies.append(right[np.arange(300), choices].mean())
    assert (np.diff(accuracies) >= -0.02).all()
    assert agents[0].chosen >= 0.5  # where the reward is accuracy


def test_in_the_environment_of_objectives_the_preference_is_in_the_observation():
    problem = RoutingProblem(observation="context", split="train", reward="additive")
    task = Objectives(problem, "dirichlet").task
    agent = make_agent("barp", task, n_sessions=2, seed=0, observation=task.observation, hidden_units=8, n_steps=600)
    agent.fit(problem.training_table(agent))
    seen = np.concatenate([np.tile(problem.observations[0], (2, 1)), [[1.0, 0, 0], [0, 0.5, 0.5]]], axis=1)
    accurate, cheap = agent.select_action(seen)
    assert problem.task.expected_cost_usd[cheap] == min(problem.task.expected_cost_usd)
    assert accurate != cheap


def test_where_all_llms_are_free_quality_alone_counts(make_task, make_training_table):
    table = make_training_table(make_task(), cost_usd=np.zeros((60, 4)))
    agent = make_agent("barp", make_task(), n_steps=5)
    agent.fit(table)
    assert (agent._objectives(table)[..., 1] == 0).all()


def test_without_costs_there_is_nothing_to_prefer(make_task, make_training_table):
    table = make_training_table(make_task(), cost_usd=np.full((60, 4), np.nan))
    with pytest.raises(ValueError, match=r"BaRP: training_table\.cost_usd must be recorded: the preference is about"):
        make_agent("barp", make_task()).fit(table)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"preference": 1.1}, r"BaRP: preference must be None, or from 0 to 1, got 1\.1"),
        ({"preference": -0.1}, r"BaRP: preference must be None, or from 0 to 1, got -0\.1"),
        ({"hidden_units": 0}, "BaRP: hidden_units must be a whole number, at least 1, got 0"),
        ({"n_steps": 0}, "BaRP: n_steps must be a whole number, at least 1, got 0"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(options, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_agent("barp", make_task(), **options)
