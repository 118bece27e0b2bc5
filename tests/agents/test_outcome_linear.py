"""Linear Thompson sampling on outcomes; what it shares with other agents is tested in parts."""

from statistics import NormalDist

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def told(accuracy):
    return {"accuracy": accuracy, "cost_usd": 0.0, "latency_s": 1.0}


def outcomes(right):
    return {"accuracy": right, "cost_usd": np.zeros(len(right)), "latency_s": np.ones(len(right))}


def test_it_is_asked_with_the_probability_that_its_drawn_reward_is_the_highest(make_task):
    rng = np.random.default_rng(0)
    agent = make_agent("outcome_linear", make_task(2, 2), seed=0, scale=0.5)
    for _ in range(10):
        agent.update(rng.normal(size=2), int(rng.integers(2)), right := float(rng.integers(2)), told(right))
    query = np.array([[0.4, -0.3]])
    mean, deviation, _ = agent._scores(query, None)
    # Two Gaussians: the first is above with the probability of a standard one below the standardised gap.
    expected = NormalDist().cdf((mean[0, 0] - mean[0, 1]) / np.hypot(*deviation[0]))
    assert agent.action_probabilities(query[0])[0] == pytest.approx(expected, rel=1e-6)


def test_a_context_that_was_never_seen_is_judged_by_what_is_common_to_all(make_task):
    agent = make_agent("outcome_linear", make_task(2, 3), seed=0, price_slope=0.0)
    contexts = np.eye(3)
    for _ in range(30):
        for context in (0, 1):
            agent.update(contexts[context], 0, 1.0, told(1.0))
            agent.update(contexts[context], 1, 0.0, told(0.0))
    assert agent.action_probabilities(contexts[2])[0] > 0.95


def test_it_sees_what_it_is_told_to(make_task):
    assert make_agent("outcome_linear", make_task(), observation="embedding32").observation == "embedding32"
    with pytest.raises(ValueError, match="outcome_linear sees observation 'context', but the environment gives 'emb"):
        make_agent("outcome_linear", make_task(observation="embedding"))


@pytest.mark.parametrize("observation", ["none", "prompt"])
def test_what_is_no_vector_is_refused(observation, make_task):
    with pytest.raises(
        ValueError, match=f"OutcomeLinear: observation must be a vector of numbers, .* got '{observation}'"
    ):
        make_agent("outcome_linear", make_task(), observation=observation)


def test_a_new_llm_starts_from_what_all_share(make_task):
    """Of one answer with noise, shared and own weights of equal variance, a third is shared: see the regressions."""
    told_prior = {"prior_accuracy": 0.0, "price_slope": 0.0, "intercept_deviation": 0.45}
    agent = make_agent("outcome_linear", make_task(1, 1), seed=0, **told_prior)
    agent.update([0.0], 0, 1.0, told(1.0))
    mean, _, _ = agent.add_llm(make_task(2, 1))._scores(np.zeros((1, 1)), None)
    np.testing.assert_allclose(mean, [[2 / 3, 1 / 3]])


@pytest.mark.parametrize(("differ", "expected"), [(0.0, [0.0, 0.1]), (0.4, [0.3, 0.5])])
def test_contexts_count_for_as_much_as_llms_differ_between_them(differ, expected, make_task):
    """Accuracy is 0.5 plus or minus half of what an LLM and a context share; two of five contexts suit an LLM."""
    agent = make_agent("outcome_linear", make_task(5, 5), n_sessions=40, seed=0)
    rng, suits = np.random.default_rng(0), np.eye(5) + np.roll(np.eye(5), 1, axis=1)
    for _ in range(1024):
        context, arm = rng.integers(5, size=40), rng.integers(5, size=40)
        accuracy = 0.5 + differ * (2 * suits[arm, context] - 1)
        right = (rng.random(40) < accuracy).astype(float)
        agent.update(np.eye(5)[context], arm, right, outcomes(right))
    deviation = 0.45 / np.sqrt(np.median(agent.accuracies.ridges[:, 1]))
    assert expected[0] <= deviation <= expected[1]


def test_a_new_llm_starts_from_how_much_the_others_were_seen_to_differ(make_task):
    agent = make_agent("outcome_linear", make_task(2, 2), seed=0)
    for step in range(64):
        agent.update(np.eye(2)[step % 2], step // 2 % 2, 0.5, told(0.5))
    grown = agent.add_llm(make_task(3, 2))
    np.testing.assert_array_equal(grown.accuracies.ridges, agent.accuracies.ridges)
    np.testing.assert_allclose(np.diag(grown.accuracies.inverses[0, 2]), 1 / agent.accuracies.ridges[0])


@pytest.mark.parametrize("name", ["scale", "intercept_deviation", "feature_deviation"])
def test_hyperparameters_out_of_range_are_refused(name, make_task):
    with pytest.raises(ValueError, match=rf"OutcomeLinear: {name} must be positive, got 0\.0"):
        make_agent("outcome_linear", make_task(), **{name: 0.0})
