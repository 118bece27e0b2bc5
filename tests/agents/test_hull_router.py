"""Hull router: budgets, prices, and what is refused."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


@pytest.fixture
def world(make_task, make_training_table):
    """Return a task and a table: the dear LLM is always right, the cheap one where the first number is positive."""
    rng = np.random.default_rng(0)
    seen = np.sign(rng.normal(size=(400, 1))) * [[1.0, 0.0, 0.0]] + rng.normal(scale=0.05, size=(400, 3))
    right = np.stack([seen[:, 0] > 0, np.ones(400)], axis=1).astype(float)
    cost = np.tile([0.001, 0.01], (400, 1))
    task = make_task(2, observation_size=3)
    table = make_training_table(
        task, n_queries=400, observations=seen, accuracy=right, cost_usd=cost, rewards=right - 50 * cost
    )
    return task, table


EASY, HARD = [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]


@pytest.mark.parametrize("method", ["hull", "search"])
@pytest.mark.parametrize(
    ("max_cost_usd", "asked"),
    # Half of the queries are hard: below .0055 not all of them can go to the dear LLM, from .01 on everything can.
    [(0.001, [0, 0]), (0.006, [0, 1]), (1.0, [1, 1]), (None, [0, 1])],
)
def test_the_budget_decides_who_is_asked_what(world, method, max_cost_usd, asked):
    task, table = world
    table = table.part(llms=[0, 1])
    table.accuracy[:, 1] += 0.001  # a little better on easy queries too, so that money can buy it
    agent = make_agent("hull_router", task, n_sessions=2, seed=0, max_cost_usd=max_cost_usd, method=method)
    agent.fit(table)
    np.testing.assert_array_equal(agent.select_action([EASY, HARD]), asked)


@pytest.mark.parametrize("budget", [0.002, 0.004, 0.008])
def test_a_budget_is_met_on_queries_of_the_same_kind(budget, make_task, make_training_table):
    rng = np.random.default_rng(1)
    task = make_task(3, observation_size=4)
    seen = rng.normal(size=(3000, 4))
    chance = 1 / (1 + np.exp(-(seen @ rng.normal(size=(4, 3)) + [-1.0, 0.5, 1.5])))
    fields = {
        "observations": seen,
        "accuracy": (rng.random((3000, 3)) < chance).astype(float),
        "cost_usd": np.tile([0.001, 0.004, 0.01], (3000, 1)),
    }
    agent = make_agent("hull_router", task, n_sessions=2000, seed=0, max_cost_usd=budget)
    agent.fit(
        make_training_table(
            task,
            n_queries=1000,
            **{name: field[:1000] for name, field in fields.items()},
            rewards=fields["accuracy"][:1000],
        )
    )
    spent = agent.action_probabilities(seen[1000:]) @ [0.001, 0.004, 0.01]
    assert 0.85 * budget < spent.mean() < 1.05 * budget


def test_risk_adds_the_spread_of_the_samples(world):
    task, table = world
    plain, risky = (make_agent("hull_router", task, seed=0, risk=risk) for risk in (0.0, 2.0))
    for agent in (plain, risky):
        agent.fit(table)
    seen = np.array([EASY, HARD])
    spread = (np.array([[1.0, *row] for row in seen]) @ plain.coefficients).std(axis=0)
    np.testing.assert_allclose(risky.predicted_accuracy(seen), plain.predicted_accuracy(seen) + 2 * spread)


def test_with_equal_costs_the_most_accurate_is_asked(world):
    task, table = world
    table.cost_usd[:] = 0.002
    agent = make_agent("hull_router", task, n_sessions=2, seed=0)
    agent.fit(table)
    assert agent.price == 0
    assert agent.select_action([EASY, HARD])[1] == 1


def test_llms_that_a_sample_lacks_have_their_mean(make_task, make_training_table):
    """The second LLM was asked one query of thirty, which a third of the samples leave out."""
    task = make_task(2)
    cells = np.random.default_rng(0).random((30, 2))
    cells[1:, 1] = np.nan
    measures = dict.fromkeys(("rewards", "accuracy", "cost_usd", "latency_s"), cells)
    agent = make_agent("hull_router", task, seed=0)
    agent.fit(make_training_table(task, n_queries=30, **measures))
    np.testing.assert_allclose(agent.predicted_accuracy(np.zeros((1, 5)))[0, 1], cells[0, 1])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_cost_usd": -1.0}, "HullRouter: max_cost_usd must be None, or finite and at least 0, got -1.0"),
        ({"method": "searhc"}, "Unknown method of hull_router 'searhc'. Did you mean 'search'"),
        ({"n_samples": 0}, "HullRouter: n_samples must be a whole number, at least 1, got 0"),
        ({"risk": np.nan}, "HullRouter: risk must be finite, got nan"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(options, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_agent("hull_router", make_task(), **options)


def test_what_no_assignment_can_meet_is_refused(world):
    task, table = world
    with pytest.raises(
        ValueError, match=r"max_cost_usd must be at least 0.001, the mean cost of the cheapest LLM, got 0.0009"
    ):
        make_agent("hull_router", task, max_cost_usd=0.0009).fit(table)
    table.cost_usd[:] = np.nan
    with pytest.raises(ValueError, match=r"training_table\.cost_usd must be recorded"):
        make_agent("hull_router", task).fit(table)
