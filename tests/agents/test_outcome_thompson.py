"""Thompson sampling on outcomes; what it shares with the other agents on outcomes is tested in parts."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent

FLAT = {"prior_accuracy": 0.5, "price_slope": 0.0, "prior_pulls": 2.0, "scale": 1.0}


def told(accuracy):
    return {"accuracy": accuracy, "cost_usd": 0.0, "latency_s": 1.0}


def test_accuracy_is_drawn_from_its_beta_posterior(make_task):
    """From a uniform prior, three right and one wrong answer give Beta(4, 2), and two wrong ones Beta(1, 3)."""
    agent = make_agent("outcome_thompson", make_task(2, 1), **FLAT)
    for arm, right in [(0, 1.0), (0, 1.0), (0, 0.0), (0, 1.0), (1, 0.0), (1, 0.0)]:
        agent.update([1.0], arm, right, told(right))
    first, second = agent._posterior(agent.outcomes.believed(np.array([0])))
    np.testing.assert_allclose(first, [[4, 1]])
    np.testing.assert_allclose(second, [[2, 3]])
    # P(X > Y) for X ~ Beta(4, 2), Y ~ Beta(1, 3) is E[1 - (1 - X)^3] = 1 - (2 3 4) / (6 7 8).
    assert agent.action_probabilities([1.0])[0] == pytest.approx(1 - 24 / 336, abs=1e-6)


def test_half_the_scale_is_a_quarter_of_the_variance(make_task):
    variances = []
    for scale in (1.0, 0.5):
        agent = make_agent("outcome_thompson", make_task(2, 1), **(FLAT | {"scale": scale, "prior_pulls": 1000.0}))
        first, second = agent._posterior(agent.outcomes.believed(np.array([0])))
        variances.append((first * second / ((first + second) ** 2 * (first + second + 1)))[0, 0])
    assert variances[1] == pytest.approx(variances[0] / 4, rel=1e-3)


def test_each_context_has_its_best_llm_and_a_new_one_starts_from_the_others(make_task):
    agent = make_agent("outcome_thompson", make_task(2, 3), seed=0, **FLAT)
    contexts = np.eye(3)
    for _ in range(50):
        for context, arm, right in [(0, 0, 1.0), (0, 1, 0.0), (1, 0, 0.0), (1, 1, 1.0), (1, 0, 0.0)]:
            agent.update(contexts[context], arm, right, told(right))
    assert agent.action_probabilities(contexts[0])[0] > 0.99
    assert agent.action_probabilities(contexts[1])[1] > 0.99
    # Of the first LLM's answers a third was right, of the second's half.
    assert 0.6 < agent.action_probabilities(contexts[2])[1] < 0.99


@pytest.mark.parametrize(("prior_accuracy", "expected"), [(0, [1, 1]), (1, [99, 99]), ([0, 1.0], [1, 99])])
def test_a_prior_of_0_or_1_leaves_something_to_draw(prior_accuracy, expected, make_task):
    settings = FLAT | {"prior_accuracy": prior_accuracy, "prior_pulls": 100.0}
    agent = make_agent("outcome_thompson", make_task(2, 1), n_sessions=2000, seed=0, **settings)
    first, second = agent._posterior(agent._believed(np.ones((1, 1))))
    np.testing.assert_allclose(first[0], expected)
    np.testing.assert_allclose(first + second, np.full((2000, 2), 100.0))
    share = (agent.select_action(np.ones((2000, 1))) == 0).mean()
    assert share == pytest.approx(agent.action_probabilities(np.ones((2000, 1)))[0, 0], abs=0.04)


@pytest.mark.parametrize(
    ("hyperparameter", "value", "said"),
    [("scale", 0.0, "positive"), ("prior_pulls", 0.0, "positive"), ("pseudo_pulls", -1.0, "at least 0")],
)
def test_hyperparameters_out_of_range_are_refused(hyperparameter, value, said, make_task):
    with pytest.raises(ValueError, match=rf"OutcomeThompson: {hyperparameter} must be {said}, got {value}"):
        make_agent("outcome_thompson", make_task(), **{hyperparameter: value})
