"""Budget pacer: burn-in, budgets, pasts, and what is refused."""

import numpy as np
import pytest

from llm_routing_env.agents import LLMInfo, LoggedData, make_agent

SEEN = np.zeros(5)


def told(cost_usd):
    return {"accuracy": np.ones_like(cost_usd), "cost_usd": cost_usd, "latency_s": np.ones_like(cost_usd)}


def routed(agent, n_queries, costs, rewards):
    """Let an agent of many sessions route; return its actions, shape (queries, sessions)."""
    actions, seen = [], np.zeros((agent.n_sessions, 5))
    for _ in range(n_queries):
        action = agent.select_action(seen)
        agent.update(seen, action, np.array(rewards)[action], outcome=told(np.array(costs)[action]))
        actions.append(action)
    return np.array(actions)


def test_each_llm_is_asked_in_turn_first(make_task):
    agent = make_agent("budget_pacer", make_task(3), n_sessions=4, seed=0, burn_in=3, max_usd_per_query=0.001)
    actions = routed(agent, 9, [0.001, 0.002, 0.003], [0.1, 0.2, 0.3])
    for turn in range(3):
        assert (np.sort(actions[3 * turn : 3 * turn + 3], axis=0) == [[0], [1], [2]]).all()
    np.testing.assert_array_equal(agent.pace.prices, 0.0)  # of what it could not help nothing is learned


def test_the_burn_in_may_be_of_some_llms_only(make_task):
    agent = make_agent("budget_pacer", make_task(3), n_sessions=1, seed=0, burn_in={"llm1": 2, "llm2": 0})
    assert routed(agent, 2, [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])[:, 0].tolist() == [1, 1]


def test_it_spends_its_budget(make_task):
    """The dear LLM is worth .9 and the cheap one .3: of 20,000 queries 4 in 9 can be the dear one's."""
    task = make_task(2, expected_cost_usd=(1.0, 0.1), observation_size=1)
    agent = make_agent("budget_pacer", task, seed=0, burn_in=1, max_usd_per_query=0.5)
    spent = []
    for _ in range(6000):
        action = agent.select_action([0.0])
        spent.append((1.0, 0.1)[action])
        agent.update([0.0], action, (0.9, 0.3)[action], outcome=told(np.array(spent[-1])))
    course = float(agent.pace.prices[0]) / (0.0005 * 5998)
    assert np.mean(spent[2:]) / 0.5 == pytest.approx(1 + course, abs=1e-9)
    assert np.mean(spent[3000:]) == pytest.approx(0.5, abs=0.02)


def test_with_money_enough_it_is_linucb(make_task):
    rng, task = np.random.default_rng(0), make_task(3)
    pacer = make_agent("budget_pacer", task, n_sessions=20, seed=0, burn_in=0, max_usd_per_query=1.0)
    plain = make_agent("linucb", task, n_sessions=20, seed=0, alpha=0.01, ridge=1.0)
    for _ in range(30):
        seen = rng.normal(size=(20, 5))
        np.testing.assert_array_equal(pacer.action_probabilities(seen), plain.action_probabilities(seen))
        actions, rewards = rng.integers(3, size=20), rng.normal(size=20)
        pacer.update(seen, actions, rewards, outcome=told(np.full(20, 0.002)))
        plain.update(seen, actions, rewards)


def test_a_log_stands_for_the_burn_in_and_sets_the_price(make_task):
    """The log's router asked both alike. At a budget of .5 lambda / budget is (.9 - .3) / (1 - .1)."""
    rng = np.random.default_rng(0)
    actions = rng.integers(2, size=400)
    logged = LoggedData(
        observations=np.zeros((400, 1)),
        actions=actions,
        rewards=np.array([0.9, 0.3])[actions],
        propensities=np.full(400, 0.5),
        outcomes={"accuracy": np.ones(400), "cost_usd": np.array([1.0, 0.1])[actions]},
    )
    task = make_task(2, observation_size=1, expected_cost_usd=(1.0, 0.1))
    agent = make_agent("budget_pacer", task, n_sessions=3, seed=0, max_usd_per_query=0.5)
    agent.fit_log(logged)
    np.testing.assert_allclose(agent.pace.prices, 1 / 3, atol=0.01)
    assert not agent._is_due().any()


def test_the_budget_is_the_tasks_where_it_has_none_of_its_own(make_task):
    task = make_task(2, max_usd_per_query=0.0015)
    assert make_agent("budget_pacer", task)._budget_usd == 0.0015
    assert make_agent("budget_pacer", task, max_usd_per_query=0.002)._budget_usd == 0.002
    assert make_agent("budget_pacer", make_task(2))._budget_usd == np.inf


@pytest.mark.parametrize("style", ["dual", "paretobandit"])
def test_it_goes_on_where_it_was_saved(style, make_task, tmp_path):
    llms = tuple(LLMInfo(f"llm{n}", 1.0 + n, 2.0 + n, expected_cost_usd=1e-3 * (n + 1)) for n in range(3))
    task = make_task(3, llms=llms)
    agent = make_agent("budget_pacer", task, seed=0, burn_in=2, max_usd_per_query=0.0012, style=style)
    for number in range(40):
        agent.update(SEEN, number % 3, 0.1 * (number % 3), outcome=told(np.array(1e-3 * (1 + number % 3))))
    agent.save(tmp_path / "agent.npz")
    again = type(agent).load(tmp_path / "agent.npz", task)
    assert agent.pace.prices[0] > 0
    np.testing.assert_array_equal(again.pace.penalties(again._mean_costs()), agent.pace.penalties(agent._mean_costs()))
    np.testing.assert_array_equal(again.action_probabilities(SEEN), agent.action_probabilities(SEEN))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_usd_per_query": 0.0}, "BudgetPacer: max_usd_per_query must be None, or finite and above 0, got 0.0"),
        (
            {"max_usd_per_query": 0.0009},
            "BudgetPacer: max_usd_per_query must be at least 0.001, the mean cost of the cheapest LLM, got 0.0009",
        ),
        ({"style": "duel"}, "Unknown style of budget_pacer 'duel'. Did you mean 'dual'"),
        ({"alpha": -1.0}, "BudgetPacer: alpha must be finite and at least 0, got -1.0"),
        ({"burn_in": -1}, "BudgetPacer: burn_in must be whole numbers, 0 or more, got -1"),
        ({"burn_in": {"llm": 1}}, "Unknown LLM of burn_in 'llm'. Did you mean 'llm"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(options, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_agent("budget_pacer", make_task(), **options)


@pytest.mark.parametrize("outcome", [None, told(np.array(np.nan)), {"accuracy": 1.0}])
def test_what_was_spent_must_be_told(outcome, make_task):
    agent = make_agent("budget_pacer", make_task(), max_usd_per_query=0.002)
    with pytest.raises(ValueError, match=r"BudgetPacer: outcome\['cost_usd'\] must be known: it keeps to a budget"):
        agent.update(SEEN, 0, 0.5, outcome=outcome)
    make_agent("budget_pacer", make_task()).update(SEEN, 0, 0.5, outcome=outcome)


def test_what_it_spent_without_a_budget_it_knows_when_it_has_one(make_task, tmp_path):
    agent = make_agent("budget_pacer", make_task(3, expected_cost_usd=(0.001, 0.001, 0.001)), seed=0)
    for number in range(30):
        agent.update(SEEN, number % 3, 0.5, outcome=told(np.array(1e-3 * (1 + number % 3))))
    agent.update(SEEN, 0, 0.5)  # nothing is told: as expected of it
    agent.save(tmp_path / "agent.npz")
    task = make_task(3, expected_cost_usd=(0.001, 0.001, 0.001), max_usd_per_query=0.001)
    np.testing.assert_allclose(type(agent).load(tmp_path / "agent.npz", task)._mean_costs(), [[0.001, 0.002, 0.003]])
