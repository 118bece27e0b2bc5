"""The sentences that intervals are put into."""

import pytest

from llm_routing_env.evaluation.intervals import NOTHING, Interval
from llm_routing_env.evaluation.references import BEST_FIXED, CHOSEN_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.verdicts import headroom, is_clear_gain, paired_verdict, verdict


def interval(mean: float, low: float, high: float) -> Interval:
    return {"mean": mean, "low": low, "high": high}


REWARD, CLEARS_RANDOM = interval(0.8, 0.7, 0.9), interval(0.3, 0.2, 0.4)


def said(
    difference: Interval,
    over_random: Interval = CLEARS_RANDOM,
    gap: Interval = NOTHING,
    reward: Interval = REWARD,
    n_sessions: int | None = 30,
    over_chosen: Interval | None = None,
) -> str:
    metrics = {
        "reward": reward,
        "reward_minus_best_fixed": difference,
        "reward_minus_chosen_fixed": difference if over_chosen is None else over_chosen,
        "reward_minus_random": over_random,
        "oracle_gap_closed": gap,
    }
    return verdict(metrics, "atlas", "atlas" if over_chosen is None else "tiny", n_sessions)


def test_an_agent_that_beats_the_best_fixed_llm():
    gain = interval(0.36, 0.35, 0.37)
    share = interval(0.574, 0.55, 0.6)
    assert said(gain, gap=share) == "beats always atlas by 0.36 [0.35, 0.37], 57 % of the gap to the oracle"
    assert said(gain) == "beats always atlas by 0.36 [0.35, 0.37]"


@pytest.mark.parametrize("low", [-0.01, 0.0])
def test_an_interval_that_reaches_zero_is_no_gain(low: float):
    expected = f"no better than always atlas: the difference is 0.01 [{low:.2f}, 0.03]"
    assert said(interval(0.01, low, 0.03), gap=interval(0.02, -0.02, 0.06)) == expected


def test_a_worse_agent_is_worse_by_a_positive_number():
    expected = "worse than always atlas by 0.05 [0.04, 0.06]"
    assert said(interval(-0.05, -0.06, -0.04), gap=interval(-0.1, -0.12, -0.08)) == expected


def test_an_agent_that_does_not_clear_random_choice():
    worse = interval(-0.05, -0.06, -0.04)
    assert said(worse, over_random=interval(0.0, -0.01, 0.01)) == (
        "no better than asking at random: the difference is 0.00 [-0.01, 0.01]; "
        "worse than always atlas by 0.05 [0.04, 0.06]"
    )
    assert said(worse, over_random=worse) == (
        "worse than asking at random by 0.05 [0.04, 0.06]; worse than always atlas by 0.05 [0.04, 0.06]"
    )


def test_the_same_llm_all_along_is_no_better_than_itself():
    assert said(interval(0.0, 0.0, 0.0)) == "no better than always atlas: the same reward on every query"
    assert said(interval(1e-16, 1e-17, 2e-16)) == "no better than always atlas: the same reward on every query"


def test_small_numbers_are_shown_with_the_decimals_they_need():
    assert said(interval(0.003, 0.001, 0.005)) == "beats always atlas by 0.003 [0.001, 0.005]"
    assert said(interval(0.02, 0.0004, 0.0396)) == "beats always atlas by 0.0200 [0.0004, 0.0396]"


def test_a_gain_too_small_to_act_on_is_none():
    """However sure it is: less than a hundredth of the gap."""
    sure = interval(0.003, 0.001, 0.005)
    assert said(sure, gap=interval(0.004, 0.001, 0.01)) == (
        "no better than always atlas in practice: 0.003 [0.001, 0.005] more, less than 1 % of the gap to the oracle"
    )
    of = {"reward_minus_best_fixed": sure, "oracle_gap_closed": interval(0.004, 0.001, 0.01)}
    assert not is_clear_gain(of)
    assert is_clear_gain(of | {"oracle_gap_closed": interval(0.02, 0.01, 0.03)})
    assert not is_clear_gain(of | {"reward_minus_best_fixed": interval(0.003, -0.001, 0.007)})
    assert not is_clear_gain(dict.fromkeys(of, NOTHING))
    assert not is_clear_gain(of | {"oracle_gap_closed": interval(0.02, 0.01, 0.03)}, n_sessions=9)


@pytest.mark.parametrize("n_sessions", [1, 2, 9])
def test_few_sessions_give_no_verdict(n_sessions: int):
    gain = interval(0.36, 0.35, 0.37)
    assert said(gain, n_sessions=n_sessions).startswith(f"no verdict: {n_sessions} session")
    assert paired_verdict(gain, "ucb1", 1.0, n_sessions).startswith(f"no verdict: {n_sessions} session")
    assert said(gain, n_sessions=10).startswith("beats")
    assert said(gain, n_sessions=None).startswith("beats")  # a frozen agent needs no sessions


def test_one_query_shows_nothing():
    one = {"mean": 0.2, "low": None, "high": None}
    assert said(one) == "shows nothing: that takes 5 or more queries in every context"
    assert paired_verdict(one, "ucb1", 1.0, None) == "shows nothing"


def test_agents_against_each_other():
    lead = interval(0.3, 0.1, 0.5)
    assert paired_verdict(lead, "ucb1", 0.6, 30) == "beats ucb1 by 0.30 [0.10, 0.50], 50 % of the gap to the oracle"
    assert paired_verdict(lead, "ucb1", None, 30) == "beats ucb1 by 0.30 [0.10, 0.50]"
    assert paired_verdict(lead, "ucb1", 100.0, 30).startswith("no better than ucb1 in practice: ")
    assert paired_verdict(interval(-0.3, -0.5, -0.1), "ucb1", 0.6, 30) == "worse than ucb1 by 0.30 [0.10, 0.50]"
    undecided = paired_verdict(interval(0.3, -0.1, 0.5), "ucb1", 0.6, 30)
    assert undecided.startswith("no better than ucb1: the difference is")


def test_worse_takes_an_llm_that_was_chosen_without_hindsight():
    """Of many equal LLMs one is always best in hindsight: being behind that one is nobody's fault."""
    behind, level = interval(-0.05, -0.06, -0.04), interval(-0.01, -0.02, 0.01)
    assert said(behind, over_chosen=level) == "no better than always atlas: the difference is -0.05 [-0.06, -0.04]"
    assert said(behind, over_chosen=behind) == "worse than always tiny by 0.05 [0.04, 0.06]"


def references(by_context: float, oracle: float, half_width: float, share: Interval) -> dict[str, dict[str, Interval]]:
    gains = {CHOSEN_FIXED: -0.1, BEST_FIXED: 0.0, CONTEXT_BEST: by_context, ORACLE: oracle}
    return {
        name: {
            "reward": interval(0.5 + gain, 0, 0),
            "reward_minus_best_fixed": interval(gain, gain - half_width, gain + half_width),
            "oracle_gap_closed": share,
        }
        for name, gain in gains.items()
    }


def test_headroom_in_words():
    assert headroom(references(0.3, 0.4, 0.01, interval(0.75, 0.7, 0.8)), "atlas", "tiny") == (
        "Headroom: best fixed LLM 0.500 in hindsight (atlas), 0.400 chosen on the other split (tiny); per-context best "
        "0.800, per-query oracle 0.900. "
        "Knowing the context closes 75 % of the gap to the oracle."
    )


def test_contexts_that_do_not_matter():
    said = headroom(references(0.0, 0.4, 0.01, interval(0.0, -0.02, 0.02)), "atlas", "tiny")
    assert said.endswith("Knowing the context closes none of it.")


def test_no_headroom_is_said_plainly():
    assert headroom(references(0.0, 0.0, 0.0, NOTHING), "atlas", "tiny") == (
        "No headroom: best fixed LLM 0.500 in hindsight (atlas), 0.400 chosen on the other split (tiny); "
        "per-context best 0.500, per-query oracle 0.500. No agent can beat always atlas here."
    )


def test_too_few_queries_to_show_headroom():
    said = headroom(references(0.0, 0.02, 0.05, NOTHING), "atlas", "tiny")
    assert said.startswith("No headroom shows in so few queries: ")
    assert said.endswith("The oracle's gain is 0.02 [-0.03, 0.07].")


def test_differences_that_are_all_alike_are_no_evidence():
    alike = interval(0.01, 0.01, 0.01)
    assert said(alike) == "no verdict against always atlas: 0.01 on every query alike, which says nothing of others"
    assert not is_clear_gain({"reward_minus_best_fixed": alike, "oracle_gap_closed": interval(1.0, 1.0, 1.0)})
    assert paired_verdict(interval(-0.2, -0.2, -0.2), "ucb1", None, 30).startswith("no verdict against ucb1: -0.20")
    assert said(interval(0.0, 0.0, 0.0)) == "no better than always atlas: the same reward on every query"
