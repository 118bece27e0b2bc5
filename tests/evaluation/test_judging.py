"""Judging: by hand, groups of contexts with references of their own, and who influences whom."""

import numpy as np
import pytest
from tables import queries, random_table, records

from llm_routing_env.envs import PickLLMEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.drawn import draw_sessions
from llm_routing_env.evaluation.judging import POOLED, RANDOM, Judge
from llm_routing_env.evaluation.metrics import METRICS
from llm_routing_env.evaluation.policies import policies_log
from llm_routing_env.evaluation.references import BEST_FIXED, CHOSEN_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.evaluation.statistics import LEARNING
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table(per_context=39)
PROBLEM = RoutingProblem(TABLE, observation="none")
LENGTH, N_SESSIONS = 12, 11


def drawn(problem: RoutingProblem = PROBLEM, contexts: tuple[str, ...] | None = None):
    seeds = {name: range(100 * number, 100 * number + N_SESSIONS) for number, name in enumerate(problem.contexts)}
    return {c: draw_sessions(problem, seeds[c], context=c, length=LENGTH) for c in contexts or problem.contexts}


def logs(seed: int = 0, contexts: tuple[str, ...] | None = None) -> dict[str, SessionLog]:
    """Sessions of an agent that asks at random."""
    policies, rng = np.full((1, TABLE.n_queries, 4), 0.25), np.random.default_rng(seed)
    return {c: policies_log(PROBLEM, policies, of, rng) for c, of in drawn(contexts=contexts).items()}


def judge(seed: int = 0, contexts: tuple[str, ...] | None = None) -> Judge:
    return Judge(PROBLEM, drawn(contexts=contexts), seed)


def test_single_llms_have_their_exact_means_over_the_split():
    found = judge().judge("always llm-2")
    for context in PROBLEM.contexts:
        mine = PROBLEM.queries_of(context)
        assert found[context]["reward"]["mean"] == pytest.approx(PROBLEM.reward_table.rewards[mine, 2].mean())
        assert found[context]["session_cost_usd"]["mean"] == pytest.approx(LENGTH * TABLE.cost_usd[mine, 2].mean())
        assert found[context]["latency_p50_s"]["mean"] == pytest.approx(
            np.quantile(TABLE.latency_s[mine, 2], 0.5, method="inverted_cdf")
        )
    means = [found[context]["reward"]["mean"] for context in PROBLEM.contexts]
    assert found[POOLED]["reward"]["mean"] == pytest.approx(np.mean(means))
    assert judge().sources("always llm-2") == ("queries",)


def test_a_single_llms_interval_is_the_bootstrap_over_queries():
    """Against brute force: queries drawn with replacement within contexts."""
    found = judge().judge("always llm-1")[POOLED]["reward_minus_random"]
    means = PROBLEM.reward_table.query_means
    gains = [means[mine, 1] - means[mine].mean(axis=1) for mine in map(PROBLEM.queries_of, PROBLEM.contexts)]
    rng = np.random.default_rng(9)
    draws = [np.mean([rng.choice(of, len(of)).mean() for of in gains]) for _ in range(4000)]
    low, high = np.percentile(draws, [2.5, 97.5])
    width = found["high"] - found["low"]
    assert width == pytest.approx((high - low) * np.sqrt(26 / 25), rel=0.05)  # 26 test queries a context
    assert found["low"] == pytest.approx(low, abs=0.1 * width)


def test_random_choice_is_worth_what_the_llms_get_on_average():
    """On the sessions that an agent faces: asked one by one, each LLM in a session of its own."""
    env = PickLLMEnv(table=TABLE, observation="none")
    rewards = np.zeros((N_SESSIONS, 4, LENGTH))
    for session in range(N_SESSIONS):
        for llm in range(4):
            env.reset(seed=session, options={"context": "art"})
            rewards[session, llm] = [env.step(llm)[1] for _ in range(LENGTH)]
    made = judge()
    made.add_log("agent", logs(), learns=False)
    difference = made.difference("agent", RANDOM, "art")["mean"]
    assert difference == pytest.approx(logs()["art"].rewards.mean() - rewards.mean())


def test_every_group_has_every_metric_and_its_own_references():
    made = judge()
    for name in made.references[POOLED].actions:
        groups = made.judge(name)
        assert list(groups) == [POOLED, *PROBLEM.contexts]
        assert all(metrics.keys() == set(METRICS) for metrics in groups.values())
    for context in PROBLEM.contexts:
        best = PROBLEM.expected_rewards(context).max()
        assert made.judge(BEST_FIXED)[context]["reward"]["mean"] == pytest.approx(best)
        assert made.judge(ORACLE)[context]["oracle_gap_closed"]["mean"] == pytest.approx(1.0)
        assert made.judge(BEST_FIXED)[context]["oracle_gap_closed"]["mean"] == pytest.approx(0.0)
        # In one context the best chosen on the other split is that of the context.
        chosen, known = (made.judge(name)[context]["reward"]["mean"] for name in (CHOSEN_FIXED, CONTEXT_BEST))
        assert chosen == pytest.approx(known)


def test_nothing_that_is_fixed_beats_the_best_in_hindsight():
    made = judge()
    for llm in TABLE.llm_names:
        for group in (POOLED, *PROBLEM.contexts):
            assert made.judge(f"always {llm}")[group]["reward_minus_best_fixed"]["mean"] <= 1e-12


def test_an_agent_that_copies_a_reference_differs_from_it_by_nothing():
    """Though it is known by sessions and the reference exactly."""
    made = judge()
    policy = np.eye(4)[np.full(TABLE.n_queries, 2)][None]
    copied = {c: policies_log(PROBLEM, policy, of, np.random.default_rng(0)) for c, of in drawn().items()}
    made.add_log("copy", copied, learns=False)
    assert made.difference("copy", "always llm-2") == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert made.sources("copy") == ("queries", "sessions")


def test_differences_of_any_two_are_the_same_seen_from_either_side():
    made = judge()
    made.add_log("online", logs(1), learns=False)
    made.add_policies("frozen", np.random.default_rng(0).dirichlet(np.ones(4), size=(5, TABLE.n_queries)))
    for one, other in (("online", "frozen"), ("frozen", ORACLE), ("online", BEST_FIXED)):
        there, back = made.difference(one, other), made.difference(other, one)
        assert there["mean"] == pytest.approx(-back["mean"])
        assert there["low"] == pytest.approx(-back["high"])


def test_more_sessions_do_not_make_an_agent_surer_than_its_queries_allow():
    """The agent asks one LLM, so every session says the same; the interval stays that of the queries."""
    policy = np.eye(4)[np.full(TABLE.n_queries, 0)][None]
    exact = judge().judge("always llm-0")["art"]["reward"]
    for n_sessions in (20, 500):
        of = {"art": draw_sessions(PROBLEM, range(n_sessions), context="art", length=26)}
        made = Judge(PROBLEM, of, 0)
        made.add_log("copy", {"art": policies_log(PROBLEM, policy, of["art"], np.random.default_rng(0))}, learns=False)
        found = made.judge("copy")["art"]["reward"]
        assert found["high"] - found["low"] > 0.9 * (exact["high"] - exact["low"])


def test_intervals_of_what_learns_are_wider():
    """By what simulations of learners ask for; a mean stays what it is."""
    widths, means = [], []
    for learns in (False, True):
        made = judge()
        made.add_log("agent", logs(), learns=learns)
        made.add_log("other", logs(1), learns=False)
        for found in (made.judge("agent")[POOLED]["reward"], made.difference("other", "agent")):
            widths.append(found["high"] - found["low"])
            means.append(found["mean"])
    assert means[:2] == means[2:]
    np.testing.assert_allclose(np.divide(widths[2:], widths[:2]), LEARNING)


def test_a_context_of_one_query_leaves_no_interval_for_all():
    """However many queries the others have: nothing is known of how its queries differ."""
    asked = QuerySet([*queries(60, ["large"]), *queries(2, ["tiny"])])
    right = np.random.default_rng(0).integers(0, 2, (62, 2, 1))
    table = OutcomeTable.from_records(asked, ["x", "y"], records(asked, ["x", "y"], right, 1e-5, 0.1), {})
    problem = RoutingProblem(table, observation="none", weights=(1, 0, 0))
    drawn_of = {c: draw_sessions(problem, range(3), context=c, length=1) for c in problem.contexts}
    found = Judge(problem, drawn_of, 0).judge("always x")
    assert found["large"]["reward"]["low"] is not None
    assert found["tiny"]["reward"]["low"] is found[POOLED]["reward"]["low"] is None
    assert found[POOLED]["reward"]["mean"] is not None


def test_who_else_is_judged_changes_nothing_to_the_last_bit():
    """Others beside it, in any order, or other contexts; with odd numbers of everything."""
    alone = judge()
    alone.add_log("agent", logs(), learns=False)
    expected = alone.judge("agent")
    for n_others in (1, 5, 12):
        made = judge()
        for number in range(n_others):
            made.add_log(f"other {number}", logs(number + 1), learns=True)
            made.judge(f"other {number}")
        made.add_log("agent", logs(), learns=False)
        made.difference("agent", "other 0")
        assert made.judge("agent") == expected
    one = judge(contexts=("chess",))
    one.add_log("agent", {"chess": logs()["chess"]}, learns=False)
    assert one.judge("agent")["chess"] == expected["chess"]


def test_the_same_seed_gives_the_same_intervals():
    assert judge().judge("always llm-0") == judge().judge("always llm-0")
    assert judge().judge("always llm-0") != judge(1).judge("always llm-0")


@pytest.mark.parametrize("equal", [True, False])
def test_without_a_gap_to_the_oracle_no_share_of_it_is_closed(equal: bool):
    """All LLMs equal, or a gap that a handful of queries do not show."""
    asked = queries(9, ["art"])
    right = np.zeros((9, 2, 1)) if equal else np.eye(9)[:, :1, None] * [[[0.0], [1.0]]]
    table = OutcomeTable.from_records(asked, ["x", "y"], records(asked, ["x", "y"], right, 1e-5, 0.1), {})
    problem = RoutingProblem(table, observation="none", split="all", weights=(1, 0, 0))
    made = Judge(problem, {"art": draw_sessions(problem, range(3), context="art", length=5)}, 0)
    assert made.judge("always x")[POOLED]["oracle_gap_closed"]["mean"] is None


def test_routing_sums_to_one():
    made = judge()
    made.add_log("agent", logs(), learns=False)
    for name in ("agent", ORACLE):
        for shares in made.routing(name).values():
            assert list(shares) == list(TABLE.llm_names)
            assert sum(shares.values()) == pytest.approx(1.0)
    assert made.routing("always llm-3")[POOLED] == {"llm-0": 0.0, "llm-1": 0.0, "llm-2": 0.0, "llm-3": 1.0}
