"""Matrix factorisation: recovers a structure of low rank, and is the optimum that descent would look for."""

import numpy as np
import pytest

from llm_routing_env.agents import RoutingTask, TrainingTable, make_agent

N_QUERIES, NOISE = 80, 0.3


@pytest.fixture
def fitted(make_task, make_training_table):
    """Return a function that fits a router and gives it with its table."""

    def make(n_sessions=None, rewards=None, **hyperparameters):
        task = make_task(6)
        table = make_training_table(task, N_QUERIES)
        if rewards is not None:
            table = make_training_table(task, N_QUERIES, rewards=rewards(table.observations))
        agent = make_agent("matrix_factorisation", task, n_sessions=n_sessions, **hyperparameters)
        agent.fit(table)
        return agent, table

    return make


def centred(table):
    """Return observations and rewards, less each query's mean over LLMs, both less their means over queries."""
    advantages = table.rewards - table.rewards.mean(axis=1, keepdims=True)
    return table.observations - table.observations.mean(axis=0), advantages - advantages.mean(axis=0)


def penalised_error(table, coefficients):
    seen, advantages = centred(table)
    penalty = NOISE**2 * len(seen) * np.square(coefficients).sum()
    return np.square(advantages - seen @ coefficients).sum() + penalty


def test_one_direction_is_enough_for_a_structure_of_rank_one(fitted):
    rng = np.random.default_rng(1)
    direction, llms, intercepts = rng.normal(size=5), rng.normal(size=6), rng.normal(size=6) / 5

    def truth(seen):
        return np.outer(seen @ direction, llms) + intercepts

    def rewards(seen):
        difficulty = rng.normal(size=(len(seen), 1))  # the same for all LLMs, so it must not matter
        return truth(seen) - 3 * difficulty

    agent, _ = fitted(300, rewards, rank=1, noise=1e-6)
    unseen = rng.normal(size=(300, 5))
    best = truth(unseen).argmax(axis=1)
    assert len(np.unique(best)) > 1
    np.testing.assert_array_equal(agent.select_action(unseen), best)


def test_it_is_the_optimum_that_alternating_least_squares_finds(fitted):
    agent, table = fitted(rank=2, noise=NOISE)
    seen, advantages = centred(table)
    ridge = NOISE**2 * len(seen) * np.eye(5)
    llms = np.random.default_rng(2).normal(size=(6, 2))
    for _ in range(2000):
        llms, _ = np.linalg.qr(llms)
        projection = np.linalg.solve(seen.T @ seen + ridge, seen.T @ advantages @ llms)
        inner = projection.T @ (seen.T @ seen + ridge) @ projection
        llms = np.linalg.solve(inner, projection.T @ seen.T @ advantages).T
    np.testing.assert_allclose(agent.projection @ agent.llm_embeddings.T, projection @ llms.T, rtol=0, atol=1e-8)


def test_the_penalty_is_the_error_that_noise_on_the_observations_adds(fitted):
    agent, table = fitted(rank=2, noise=NOISE)
    seen, advantages = centred(table)
    coefficients = agent.projection @ agent.llm_embeddings.T
    noise = NOISE * np.random.default_rng(3).normal(size=(4000, *seen.shape))
    errors = np.square(advantages - (seen + noise) @ coefficients).sum(axis=(1, 2))
    assert errors.mean() == pytest.approx(penalised_error(table, coefficients), rel=0.01)


def test_rank_is_the_number_of_directions_and_more_of_them_fit_better(fitted):
    errors = []
    for rank in (1, 2, 3, 5, 6, 100):
        agent, table = fitted(rank=rank, noise=NOISE)
        coefficients = agent.projection @ agent.llm_embeddings.T
        assert np.linalg.matrix_rank(coefficients) == min(rank, 5)
        errors.append(penalised_error(table, coefficients))
    assert errors[0] > errors[1] > errors[2] > errors[3]
    # Six LLMs differ in five directions: further ones add nothing.
    np.testing.assert_allclose(errors[4:], errors[3])


def test_with_full_rank_it_routes_as_the_linear_router_does(fitted, make_task):
    agent, table = fitted(N_QUERIES, rank=5, noise=NOISE)
    linear = make_agent("linear_router", make_task(6), n_sessions=N_QUERIES, ridge=NOISE**2 * N_QUERIES)
    linear.fit(table)
    scores = linear._scores(table.observations)
    expected = scores - scores.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(agent._scores(table.observations), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "value"), [("rank", 0), ("noise", 0.0)])
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"MatrixFactorisation: {name} must be .*, got {value!r}"):
        make_agent("matrix_factorisation", make_task(), **{name: value})


def test_llms_that_were_asked_different_queries_are_compared_by_what_they_earn():
    """Half of the queries went to b and c, half to a and d; whatever the query, d earns most and a more than b."""
    earned = np.array([0.5, 0.4, 0.0, 0.9])
    rewards = np.tile(earned, (40, 1))
    rewards[:20, [0, 3]] = rewards[20:, [1, 2]] = np.nan
    known = np.where(np.isnan(rewards), np.nan, 1.0)
    observations = np.random.default_rng(0).normal(size=(40, 4))
    table = TrainingTable(observations, rewards, known, known, known)
    task = RoutingTask(4, 4, ("a", "b", "c", "d"), (1.0,) * 4, (0.0, 1.0))
    agent = make_agent("matrix_factorisation", task, n_sessions=5)
    agent.fit(table)
    scores = agent._scores(observations[:5])
    np.testing.assert_allclose(scores - scores.mean(axis=1, keepdims=True), np.tile(earned - 0.45, (5, 1)), atol=1e-9)


def test_an_llm_that_was_asked_hard_queries_only_is_not_blamed_for_them():
    """By hand: queries differ by 1 in what everybody earns, LLMs by 0.3; the second was asked hard ones, mostly."""
    difficulty = np.repeat([0.0, 1.0], 20)
    rewards = np.array([0.0, 0.3])[None] - difficulty[:, None]
    rewards[:18, 1] = np.nan
    known = np.where(np.isnan(rewards), np.nan, 1.0)
    observations = np.random.default_rng(0).normal(size=(40, 3))
    agent = make_agent("matrix_factorisation", RoutingTask(2, 3, ("a", "b"), (1.0,) * 2, (-1.0, 1.0)), n_sessions=1)
    agent.fit(TrainingTable(observations, rewards, known, known, known))
    first, second = agent._scores(observations[:1])[0]
    assert second - first == pytest.approx(0.3, abs=0.02)
