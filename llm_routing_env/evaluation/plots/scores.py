"""How sure the ranking is: intervals of the mean reward, and performance profiles (Agarwal et al. 2021)."""

import numpy as np

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
from llm_routing_env.evaluation.references import BEST_FIXED, CHOSEN_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.result import Comparison

N_THRESHOLDS = 120


def reward_intervals(result: Comparison) -> Plot:
    """Plot the mean reward of every agent and reference with its interval, best first."""
    names = [*result.agents, CHOSEN_FIXED, BEST_FIXED, CONTEXT_BEST, ORACLE]
    known = {name: found for name in names if (found := interval(result, name, "reward"))["mean"] is not None}
    figure, axis = new_axis(0.95 + 0.24 * len(known))
    ranked = sorted(known, key=lambda name: known[name]["mean"] or 0.0)
    for row, name in enumerate(ranked):
        value, colour = known[name], "#0072B2" if name in result.agents else MUTED
        if value["low"] is not None:
            axis.plot([value["low"], value["high"]], [row, row], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
        axis.plot(value["mean"], row, "o" if name in result.agents else "D", color=colour, ms=5)
    for name in [name for name in (BEST_FIXED, ORACLE) if name in known]:
        axis.axvline(known[name]["mean"], color=MUTED, lw=1, ls=":", zorder=1)
    axis.set_yticks(range(len(ranked)), [label(name) for name in ranked], fontsize=9)
    axis.set(xlabel="mean reward of a query", ylim=(-0.6, len(ranked) - 0.4))
    axis.tick_params(axis="y", length=0)
    caption = (
        "Mean reward, contexts weighted equally, with its 95 % interval: over other queries, and over other sessions "
        "or training seeds where there are any. Agents share their queries, so two that overlap may still be told "
        "apart: the table of pairs says which. Diamonds and dotted lines: references."
    )
    return Plot("rewards", "Reward", caption, figure)


def performance_profiles(result: Comparison) -> Plot:
    """Plot the share of sessions whose mean reward is above each threshold."""
    scores = {
        name: [log.rewards.mean(axis=1) for log in result.logs[name].values()] for name in [*result.agents, BEST_FIXED]
    }
    everything = np.concatenate([np.concatenate(of_agent) for of_agent in scores.values()])
    thresholds = np.linspace(everything.min(), everything.max(), N_THRESHOLDS)
    figure, axis = new_axis()
    styles = coloured(result) | {BEST_FIXED: REFERENCE_LINE}
    for name, of_agent in scores.items():
        band = stratified_band([(values[:, None] > thresholds).astype(np.float64) for values in of_agent])
        draw_curve(axis, thresholds, band, styles.get(name), name)
    axis.set(xlabel="mean reward of a session", ylabel="share of sessions above it", ylim=(-0.02, 1.02))
    legend_below(figure, named_lines(axis))
    caption = (
        "How the sessions spread: the share with a mean reward above each value. A line right of another belongs to an "
        "agent that is better throughout; where lines cross, one is better in its good sessions only. Bands: 95 % "
        "intervals over sessions, contexts weighted equally."
    )
    return Plot("profile", "Performance profile", caption + about_grey(result, result.agents), figure)
