"""Every reward of a table, and what follows where an LLM was not asked a query."""

import numpy as np
import pytest
from tables import queries, random_table, records

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.audit import audit_reward
from llm_routing_env.rewards.forms import FORMS, make_reward
from llm_routing_env.rewards.reward_table import RewardTable, best_of_known, mean_of_known
from llm_routing_env.tables.cells import Cells
from llm_routing_env.tables.table import OutcomeTable

NAN = float("nan")


def without(table: OutcomeTable, *pairs: tuple[int, int]) -> OutcomeTable:
    """Return the table without the outcomes of some (query, LLM) pairs."""
    grids = [table.cost_usd.copy(), table.latency_s.copy(), table.accuracy("exact_match").copy()]
    for grid in grids:
        for query, llm in pairs:
            grid[query, llm] = np.nan
    table.cost_usd, table.latency_s, table.accuracies["exact_match"] = grids
    return table


def cells(table: OutcomeTable) -> Cells:
    return Cells.of(table, "exact_match")


def by_hand() -> OutcomeTable:
    """Two LLMs, three queries, two repeats; the cost that counts as 1 is 2e-4 dollars."""
    asked = queries(3, ["art"])
    accuracy = [[[1, 1], [1, 0]], [[1, 0], [1, 1]], [[0, 0], [0, 1]]]
    rows = records(asked, ["a", "b"], accuracy, [[[1e-4], [2e-4]]], [[[0.1], [0.1]]])
    return OutcomeTable.from_records(asked, ["a", "b"], rows, {})


def test_rewards_and_means_by_hand():
    rewards = RewardTable(cells(by_hand()), make_reward(by_hand(), "additive", (1, 0.5, 0)))
    np.testing.assert_allclose(rewards.rewards[0], [[0.75, 0.75], [0.5, -0.5]])
    np.testing.assert_allclose(rewards.query_means, [[0.75, 0.0], [0.25, 0.5], [-0.25, 0.0]])
    np.testing.assert_allclose(rewards.expected(np.arange(3)), [0.25, 0.5 / 3])


def test_a_pair_without_outcomes_has_no_reward_and_does_not_count():
    table = without(by_hand(), (0, 0), (1, 1))
    rewards = RewardTable(cells(table), make_reward(table, "additive", (1, 0.5, 0)))
    np.testing.assert_allclose(rewards.query_means, [[NAN, 0.0], [0.25, NAN], [-0.25, 0.0]])
    np.testing.assert_allclose(rewards.expected(np.arange(3)), [0.0, 0.0])
    np.testing.assert_allclose(rewards.expected(np.array([0])), [NAN, 0.0])


@pytest.mark.parametrize("name", [*FORMS, "my_rewards:Scaled", "my_rewards:AlwaysOne"])
def test_missing_pairs_change_neither_bounds_nor_the_other_rewards(name):
    whole, gaps = random_table(), [(0, 0), (5, 2), (40, 3)]
    dearest = np.argmax(whole.cost_usd.max(axis=(1, 2)))
    assert (int(dearest), 0) not in gaps
    form, partial = make_reward(whole, name), without(random_table(), *gaps)
    assert make_reward(partial, name).bounds == form.bounds
    found, expected = (RewardTable(cells(table), form).rewards for table in (partial, whole))
    missing = np.isnan(found)
    assert {(query, llm) for query, llm, _ in np.argwhere(missing).tolist()} == set(gaps)
    np.testing.assert_array_equal(found[~missing], expected[~missing])


def test_the_audit_leaves_missing_pairs_out():
    """Left are accuracies of 0.5 and 0 for "a", and twice 0.5 for "b": a variance of 0.125 squared."""
    table = without(by_hand(), (0, 0), (1, 1))
    problem = RoutingProblem(by_hand(), observation="none", split="all", reward="additive", weights=(1, 0, 0))
    problem.table, problem.cells, problem.reward_table = table, cells(table), RewardTable(cells(table), problem.reward)
    audit = audit_reward(problem)
    assert audit["accuracy"]["effect_variance"] == pytest.approx(0.125**2)
    assert audit["accuracy"]["share"] == 1.0


def test_outcomes_without_the_cost_that_is_weighed_are_no_missing_pairs():
    table = by_hand()
    table.cost_usd = table.cost_usd.copy()
    table.cost_usd[0, 0] = np.nan
    with pytest.raises(ValueError, match="The reward weighs cost, but 2 outcomes of the table in memory have none"):
        make_reward(table)
    assert make_reward(table, weights=(1, 0, 0.5)).weights == (1, 0, 0.5)


def test_the_mean_of_what_is_known():
    values = np.array([[1.0, NAN, NAN], [3.0, 5.0, NAN]])
    np.testing.assert_array_equal(mean_of_known(values, 0), [2.0, 5.0, NAN])
    np.testing.assert_array_equal(mean_of_known(values, (0, 1)), 3.0)
    whole = np.random.default_rng(0).normal(size=(50, 7, 3))
    np.testing.assert_array_equal(mean_of_known(whole, (0, 2)), whole.mean(axis=(0, 2)))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("Undefined", r"The reward Undefined must lie within its bounds, 0.0 to 1.0, got nan to nan"),
        ("Beyond", r"The reward Beyond must lie within its bounds, 0.0 to 1.0, got -7.0 to 43.0"),
        ("OneForAll", r"The reward OneForAll must give one number per outcome, \(90, 4, 3\), got \(\)"),
    ],
)
def test_a_form_that_gives_no_numbers_within_its_bounds_is_refused(form: str, message: str):
    with pytest.raises(ValueError, match=message):
        RoutingProblem(random_table(), observation="none", reward=f"my_rewards:{form}")


def test_the_best_of_what_is_known_and_allowed():
    scores = np.array([[NAN, 1.0, 2.0], [NAN, NAN, NAN], [3.0, 1.0, 2.0]])
    assert best_of_known(scores).tolist() == [2, 0, 0]
    allowed = np.array([[True, True, False], [False, True, True], [False, True, True]])
    assert best_of_known(scores, allowed).tolist() == [1, 1, 2]
    assert best_of_known(np.array([NAN, -5.0])) == 1
