"""Figures: what they draw is what happened, and every shape of comparison can be drawn."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparisons import learning, many, small, without
from tables import queries, records

from llm_routing_env.evaluation import Comparison
from llm_routing_env.evaluation.plots import Plot, draw, write_figures
from llm_routing_env.evaluation.plots.costs import cost_accuracy, latencies
from llm_routing_env.evaluation.plots.curves import best_arm_share, committed_share, cumulative_regret
from llm_routing_env.evaluation.plots.scores import performance_profiles, reward_intervals
from llm_routing_env.evaluation.plots.shares import MAX_AGENTS, arm_shares
from llm_routing_env.evaluation.plots.style import binned, coloured, label, stratified_band, thinned
from llm_routing_env.evaluation.references import BEST_FIXED, ORACLE
from llm_routing_env.tables.table import OutcomeTable

MEASURED = {"regret": ("regret", "optimal_arm_rate"), "cost_usd": ("session_cost_usd",), "latency_s": ("latency_s",)}


@pytest.fixture(scope="module")
def result() -> Comparison:
    return small()


def line(plot: Plot, name: str):
    """Return x and y of a named line."""
    (found,) = [drawn for drawn in plot.figure.axes[0].lines if drawn.get_label() == name]
    return found.get_xdata(), found.get_ydata()


def test_the_band_of_two_contexts_by_hand():
    one, other = np.array([[0.0], [2.0]]), np.array([[4.0], [4.0], [7.0]])
    mean, low, high = stratified_band([one, other])
    assert mean == pytest.approx([3.0])  # of 1 and 5
    # Variances of the two means: 2 / 2 and 3 / 3; of their average: (1 + 1) / 4.
    assert high - mean == pytest.approx([1.96 * np.sqrt(0.5)])
    assert mean - low == pytest.approx([1.96 * np.sqrt(0.5)])


def test_one_session_has_no_band():
    mean, low, high = stratified_band([np.array([[1.0, 2.0]])])
    np.testing.assert_array_equal(mean, [1.0, 2.0])
    assert np.isnan([low, high]).all()


def test_binning_averages_consecutive_steps():
    middles, means, size = binned(np.array([[1.0, 3.0, 5.0, 5.0, 9.0]]), n_bins=3)
    assert size == 2
    np.testing.assert_allclose(middles, [1.5, 3.5, 5.0])  # queries 1-2, 3-4 and 5
    np.testing.assert_allclose(means, [[2.0, 5.0, 9.0]])


def test_thinning_keeps_both_ends_and_at_most_200_points():
    assert thinned(3).tolist() == [0, 1, 2]
    kept = thinned(5000)
    assert (kept[0], kept[-1], len(kept)) == (0, 4999, 200)


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("plain", "plain"),
        ("two\nlines\x00\u202e", r"two\nlines\x00\u202e"),
        ("$x$", r"\$x\$"),
        ("a" * 20 + "my_agents:Mine", "…" + "a" * 15 + "my_agents:Mine"),
    ],
)
def test_labels_are_short_and_no_formulas(name: str, drawn: str):
    assert label(name) == drawn


def test_regret_is_the_sum_up_to_each_query(result: Comparison):
    queries, regret = line(cumulative_regret(result), "random")
    assert queries.tolist() == list(range(13))
    logs = result.logs["random"].values()
    expected = [np.mean([log.measures["regret"][:, :n].sum(axis=1).mean() for log in logs]) for n in range(13)]
    np.testing.assert_allclose(regret, expected)


def test_the_share_of_the_best_llm_counts_choices(result: Comparison):
    _, share = line(best_arm_share(result), "cheapest")
    hits = [
        (log.actions == np.argmax(result.problem.expected_rewards(context))).mean()
        for context, log in result.logs["cheapest"].items()
    ]
    np.testing.assert_allclose(share, np.mean(hits))  # it always asks the same LLM


def test_commitments_rise_where_sessions_commit():
    plot = committed_share(learning())
    steps, share = line(plot, "explore_then_commit")
    np.testing.assert_array_equal(share, (steps >= 4).astype(float))  # each of four LLMs once, then the best
    assert "One agent never commits" in plot.caption


def test_arm_shares_show_who_learns_with_the_best_llm_at_the_bottom():
    plot, best_llms = arm_shares(learning()), {"art": 2, "biology": 0, "chess": 3}
    for axis, (context, best) in zip(plot.figure.axes, best_llms.items(), strict=True):
        assert axis.get_title() == f"{context}\nbest: llm-{best}"
        share = axis.lines[0].get_ydata()[1:-1]  # the line is drawn on to both edges
        assert share[:4].sum() == pytest.approx(1.0)  # asked once while exploring
        np.testing.assert_array_equal(share[4:], 1.0)
    assert "Left out: random" in plot.caption


def test_where_nobody_learns_arm_shares_show_everybody():
    assert len(arm_shares(small(["random", "cheapest"])).figure.axes) == 2 * 3


def test_every_agent_has_an_interval_and_the_best_is_on_top(result: Comparison):
    axis = reward_intervals(result).figure.axes[0]
    names = [text.get_text() for text in axis.get_yticklabels()]
    assert set(names) > {*result.agents, BEST_FIXED}
    assert names[-1] == ORACLE


def test_profiles_fall_from_all_sessions_to_none(result: Comparison):
    thresholds, share = line(performance_profiles(result), "random")
    scores = np.concatenate([log.rewards.mean(axis=1) for log in result.logs["random"].values()])
    np.testing.assert_allclose(share, [(scores > threshold).mean() for threshold in thresholds])
    assert share[-1] == 0.0


def test_boxes_are_the_quantiles_of_single_queries(result: Comparison):
    plot = latencies(result)
    values = np.concatenate([log.measures["latency_s"].ravel() for log in result.logs["random"].values()])
    row = [text.get_text() for text in plot.figure.axes[0].get_yticklabels()].index("random")
    medians = [drawn for drawn in plot.figure.axes[0].lines if drawn.get_linewidth() == 2]
    np.testing.assert_allclose(medians[row].get_xdata(), 1000 * np.median(values))


def test_cost_against_accuracy_shows_the_means_and_the_areas_in_words(result: Comparison):
    plot = cost_accuracy(result)
    marked = {drawn.get_label(): drawn for drawn in plot.figure.axes[0].lines}
    oracle = result.metrics[ORACLE]["all"]
    assert marked[ORACLE].get_xdata() == pytest.approx([oracle["session_cost_usd"]["mean"]])
    assert marked[ORACLE].get_ydata() == pytest.approx([oracle["accuracy"]["mean"]])
    names = {text.get_text() for text in plot.figure.axes[0].texts}
    assert names == {"llm-0", "llm-1", "llm-2", "llm-3"}
    assert "for the single LLMs" in plot.caption
    assert "with the agents added" in plot.caption


@pytest.mark.parametrize(
    ("measure", "plots"),
    [("regret", (cumulative_regret, best_arm_share)), ("cost_usd", (cost_accuracy,)), ("latency_s", (latencies,))],
)
def test_what_is_not_known_is_not_drawn_and_the_caption_says_so(
    result: Comparison, measure: str, plots: tuple[Callable[[Comparison], Plot], ...]
):
    unknown = without(result, measure, *MEASURED[measure])
    for plot in draw(unknown):
        assert (plot.figure is None) == (plot.name in {make(result).name for make in plots})
        assert (plot.figure is None) == plot.caption.startswith("Not drawn")


def test_where_everything_is_free_there_is_no_cost_to_show():
    asked = queries(6)
    rows = records(asked, ["a", "b"], np.eye(2)[np.arange(len(asked)) % 2][:, :, None], 0.0, 0.1)
    table = OutcomeTable.from_records(asked, ["a", "b"], rows, {})
    plot = cost_accuracy(small(["random"], table=table, weights=(1, 0, 0.5)))
    assert (plot.figure, plot.caption) == (None, "Not drawn: nothing costs anything.")


def test_no_commitment_is_said_in_words():
    plot = committed_share(small(["random"]))
    assert plot.figure is None
    assert plot.caption == "Not drawn: no agent committed to one LLM in any session."


def test_agents_that_commit_are_grey_without_a_name_where_others_have_the_colours():
    result = many()
    worst = result.agents[0]
    settled = {"commitments": np.zeros(3, dtype=int), "commit_steps": np.ones(3)}
    result.logs[worst] = {context: replace(log, **settled) for context, log in result.logs[worst].items()}
    plot = committed_share(result)
    assert plot.figure.legends == []
    assert "grey" in plot.caption


def test_files_are_pictures(result: Comparison, tmp_path: Path):
    from matplotlib.image import imread

    paths = write_figures(result, tmp_path)
    assert [path.name for path in paths] == ["probabilities.png", "regret.png", "cost_accuracy.png"]
    for path in paths:
        height, width, _ = imread(path).shape
        assert width > 600
        assert height > 400


def test_what_is_not_known_has_no_file(result: Comparison, tmp_path: Path):
    paths = write_figures(without(result, "regret", *MEASURED["regret"]), tmp_path)
    assert [path.name for path in paths] == ["probabilities.png", "cost_accuracy.png"]


def test_nothing_is_drawn_where_every_agent_failed(tmp_path: Path):
    result = small(["comparisons:Broken"])
    assert result.failures.keys() == {"comparisons:Broken"}
    assert draw(result) == []
    assert write_figures(result, tmp_path) == []


def test_of_many_agents_the_best_are_coloured_and_the_caption_says_so():
    result = many()
    assert list(coloured(result)) == result.agents[-8:]  # later ones have the higher rewards
    plot = cumulative_regret(result)
    assert "the 8 agents with the highest mean reward; the other 17 are grey" in plot.caption
    named = {text.get_text() for text in plot.figure.legends[0].get_texts()}
    assert named == {*map(label, result.agents[-8:]), BEST_FIXED}
    shares = arm_shares(result)
    assert len(shares.figure.axes) == MAX_AGENTS * 9
    assert "MyContextualAgent3," in shares.caption
