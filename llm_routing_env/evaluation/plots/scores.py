"""How sure the ranking is: intervals of the interquartile mean, and performance profiles (Agarwal et al. 2021)."""

import numpy as np

from llm_routing_env.evaluation.comparison import Comparison
from llm_routing_env.evaluation.plots.style import (
    MUTED,
    REFERENCE_LINE,
    Plot,
    about_grey,
    coloured,
    draw_curve,
    interval,
    label,
    legend_below,
    named_lines,
    new_axis,
    stratified_band,
)
from llm_routing_env.evaluation.references import BEST_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.statistics import Bootstrap

IQM = "reward_iqm"
N_THRESHOLDS = 120


def iqm_intervals(result: Comparison) -> Plot:
    """Plot the interquartile mean of the reward of every agent and reference, best first."""
    rows = {name: interval(result, name, IQM) for name in [*result.agents, BEST_FIXED, CONTEXT_BEST, ORACLE]}
    known = {name: value for name, value in rows.items() if value["mean"] is not None}
    figure, axis = new_axis(0.95 + 0.24 * len(known))
    ranked = sorted(known, key=lambda name: known[name]["mean"] or 0.0)
    for row, name in enumerate(ranked):
        value, colour = known[name], "#0072B2" if name in result.agents else MUTED
        axis.plot([value["low"], value["high"]], [row, row], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
        axis.plot(value["mean"], row, "o" if name in result.agents else "D", color=colour, ms=5)
    for name in {BEST_FIXED, ORACLE} & known.keys():
        axis.axvline(known[name]["mean"], color=MUTED, lw=1, ls=":", zorder=1)
    axis.set_yticks(range(len(ranked)), [label(name) for name in ranked], fontsize=9)
    axis.set(xlabel="interquartile mean of the reward", ylim=(-0.6, len(ranked) - 0.4))
    axis.tick_params(axis="y", length=0)
    caption = (
        "The mean of the middle half of the sessions, which a few odd sessions cannot move, with its 95 % bootstrap "
        "interval over sessions. Where two intervals overlap widely, the order of the two says little. Diamonds and "
        "dotted lines: references."
    )
    return Plot("iqm", "Reward, interquartile mean", caption, figure)


def performance_profiles(result: Comparison) -> Plot:
    """Plot the share of sessions whose mean reward is above each threshold."""
    scores = {
        name: [log.rewards.mean(axis=1) for log in result.logs[name].values()] for name in [*result.agents, BEST_FIXED]
    }
    everything = np.concatenate([np.concatenate(of_agent) for of_agent in scores.values()])
    thresholds = np.linspace(everything.min(), everything.max(), N_THRESHOLDS)
    bootstrap = Bootstrap([len(of_context) for of_context in scores[BEST_FIXED]], np.random.default_rng(result.seed))
    figure, axis = new_axis()
    styles = coloured(result) | {BEST_FIXED: REFERENCE_LINE}
    for name, of_agent in scores.items():
        if name in styles:
            band = bootstrap.performance_profile(of_agent, thresholds)
        else:  # drawn without a band
            band = stratified_band([(values[:, None] > thresholds).astype(np.float64) for values in of_agent])
        draw_curve(axis, thresholds, band, styles.get(name), name)
    axis.set(xlabel="mean reward of a session", ylabel="share of sessions above it", ylim=(-0.02, 1.02))
    legend_below(figure, named_lines(axis))
    caption = (
        "How the sessions spread: the share with a mean reward above each value. A line right of another belongs to an "
        "agent that is better throughout; where lines cross, one is better in its good sessions only. Bands: 95 % "
        "bootstrap intervals, contexts weighted equally."
    )
    return Plot("profile", "Performance profile", caption + about_grey(result, result.agents), figure)
