"""LLM Bandit: preferences by hand, and new LLMs against the truth."""

from dataclasses import replace

import numpy as np
import pytest

from llm_routing_env.agents import LLMInfo, make_agent


def sigma(logits):
    return 1 / (1 + np.exp(-logits))


@pytest.fixture
def by_hand(make_task):
    """Return a function that makes a router with accuracies .4, .8 and .9 and costs 1, 4 and 20, whatever the query."""

    def make(preference):
        agent = make_agent("llm_bandit", make_task(3), preference=preference)
        agent.intercepts = np.log([0.4 / 0.6, 0.8 / 0.2, 0.9 / 0.1])
        agent.cost_usd = np.array([1.0, 4.0, 20.0])
        agent.is_fitted = np.array(True)
        return agent

    return make


# By hand: LLMs 1 and 2 are worth as much where .8/.9 - w/5 = 1 - w, LLMs 0 and 1 where .4/.9 - w/20 = .8/.9 - w/5.
@pytest.mark.parametrize(
    ("preference", "asked"), [(0.0, 2), (0.1388, 2), (0.1390, 1), (2.0, 1), (2.96, 1), (2.97, 0), (100.0, 0)]
)
def test_the_preference_slides_along_the_front(by_hand, preference, asked):
    assert by_hand(preference).select_action(np.zeros(5)) == asked


def synthetic(seed, n_queries, n_llms):
    """Return queries of two numbers and the chance that each LLM is right: identities ~ N(0, 1), queries ~ N(0, 4)."""
    rng = np.random.default_rng(seed)
    queries = rng.normal(scale=2.0, size=(n_queries, 2))
    chance = sigma(queries @ rng.normal(size=(2, n_llms)) + rng.normal(scale=0.5, size=n_llms))
    return queries, chance, (rng.random(chance.shape) < chance).astype(float)


def auc(scores, right):
    order = scores.argsort().argsort()
    return (order[right == 1].mean() - (right.sum() - 1) / 2) / (right == 0).sum()


def test_mean_cost_falls_as_the_preference_rises(make_task, make_training_table):
    queries, _, right = synthetic(0, 600, 4)
    costs = np.tile([1.0, 2.0, 3.0, 4.0], (600, 1))
    spent = []
    for preference in (0.0, 0.1, 0.3, 1.0, 3.0):
        task = make_task(4, observation_size=2)
        agent = make_agent("llm_bandit", task, n_sessions=600, seed=0, preference=preference)
        table = make_training_table(task, n_queries=600, observations=queries, accuracy=right, cost_usd=costs)
        agent.fit(table)
        spent.append((agent.action_probabilities(queries) @ costs[0]).mean())
    assert spent == sorted(spent, reverse=True)
    assert spent[-1] == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("seed", range(3))
def test_a_new_llm_is_known_from_fifty_probes_almost_as_well_as_it_can_be(seed, make_task, make_training_table):
    queries, chance, right = synthetic(seed, 2000, 20)
    task = make_task(19, observation_size=2)
    agent = make_agent("llm_bandit", task, seed=0, rank=2)
    table = make_training_table(task, n_queries=1000, observations=queries[:1000], accuracy=right[:1000, :-1],
                                rewards=right[:1000, :-1])  # fmt: skip
    agent.fit(table)
    known = agent.identities.copy()
    one = make_task(1, observation_size=2)
    probes = make_training_table(one, n_queries=50, observations=queries[:50], accuracy=right[:50, -1:],
                                 rewards=right[:50, -1:])  # fmt: skip
    agent.add_llm(LLMInfo("new"), probes)
    np.testing.assert_array_equal(agent.identities[:19], known)
    scores = queries[1000:] @ agent.projection @ agent.identities[-1]
    assert auc(scores, right[1000:, -1]) > auc(chance[1000:, -1], right[1000:, -1]) - 0.03
    assert agent.action_probabilities(queries[0]).shape == (20,)


def test_probes_that_are_all_right_leave_a_new_llm_near_the_others(make_task, make_training_table):
    task = make_task(3)
    agent = make_agent("llm_bandit", task, seed=0)
    agent.fit(make_training_table(task))
    all_right = np.ones((5, 1))
    agent.add_llm(LLMInfo("new"), make_training_table(make_task(1), n_queries=5, accuracy=all_right, rewards=all_right))
    assert np.isfinite(agent._scores(np.ones((1, 5)))).all()
    assert agent.intercepts[:3].max() < agent.intercepts[3] < agent.intercepts[:3].max() + 3


def test_a_router_with_a_new_llm_is_saved(make_task, make_training_table, tmp_path):
    agent = make_agent("llm_bandit", make_task(), seed=0, preference=0.5)
    table = make_training_table(make_task())
    agent.fit(table)
    agent.add_llm(LLMInfo("new"), table.part(slice(20), [1]))
    agent.save(tmp_path / "agent.npz")
    loaded = type(agent).load(tmp_path / "agent.npz", agent.task)
    query = table.observations[0]
    np.testing.assert_array_equal(loaded.action_probabilities(query), agent.action_probabilities(query))


def test_an_llm_that_cannot_be_taken_in_changes_nothing(make_task, make_training_table):
    agent = make_agent("llm_bandit", make_task(), seed=0, preference=0.5)
    agent.fit(make_training_table(make_task()))
    with pytest.raises(ValueError, match=r"training_table\.cost_usd must be recorded"):
        agent.add_llm(LLMInfo("new"), make_training_table(make_task(1), cost_usd=np.full((60, 1), np.nan)))
    assert (len(agent.identities), agent.prices.shape, agent.task.n_actions) == (4, (3, 4), 4)


def test_without_costs_there_is_nothing_to_prefer(make_task, make_training_table):
    table = make_training_table(make_task(), cost_usd=np.full((60, 4), np.nan))
    make_agent("llm_bandit", make_task()).fit(table)
    with pytest.raises(ValueError, match=r"LLMBandit: training_table\.cost_usd must be recorded: the preference is"):
        make_agent("llm_bandit", make_task(), preference=0.5).fit(table)


def test_before_it_is_fitted_it_takes_no_one_in(make_task, make_training_table):
    with pytest.raises(RuntimeError, match="LLMBandit is not fitted"):
        make_agent("llm_bandit", make_task()).add_llm(LLMInfo("new"), make_training_table(make_task(1)))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"preference": -0.1}, r"LLMBandit: preference must be None, or finite and at least 0, got -0\.1"),
        ({"rank": 0}, "LLMBandit: rank must be a whole number, at least 1, got 0"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(options, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_agent("llm_bandit", make_task(), **options)


def test_where_a_preference_is_shown_what_is_worth_most_by_it_is_asked(make_task):
    # By hand: 2 is right most often, 1 in 8 of 10 at a fifth of the cost, 0 is the fastest.
    task = replace(make_task(3), observation="embedding+preference")
    agent = make_agent("llm_bandit", task, observation="embedding+preference")
    agent.intercepts = np.log([0.4 / 0.6, 0.8 / 0.2, 0.9 / 0.1])
    agent.prices = np.array([[0.0, 0.0, 0.0], [-0.05, -0.2, -1.0], [-1.0, -2.0, -2.0]])
    agent.is_fitted = np.array(True)
    size = task.observation_size - 3
    asked = [
        agent.select_action(np.append(np.zeros(size), preference))
        for preference in ([1.0, 0.0, 0.0], [0.8, 0.2, 0.0], [0.0, 1.0, 0.0], [0.1, 0.0, 0.9])
    ]
    assert asked == [2, 1, 0, 0]


def test_a_preference_is_given_once(make_task):
    task = replace(make_task(3), observation="embedding+preference")
    with pytest.raises(ValueError, match="must be None where observations end with one"):
        make_agent("llm_bandit", task, observation="embedding+preference", preference=0.5)
