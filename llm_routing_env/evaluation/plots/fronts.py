"""Figures of a comparison by preferences: the policies of each row on cost and accuracy, and what they are worth."""

from typing import Any

import numpy as np

from llm_routing_env.evaluation.fronts import ONE_LLM, PER_CONTEXT, PER_QUERY, Fronts
from llm_routing_env.evaluation.plots.costs import draw_hull, name_points, scale_x
from llm_routing_env.evaluation.plots.hull import non_decreasing_hull
from llm_routing_env.evaluation.plots.style import (
    INK,
    MUTED,
    PALETTE,
    Floats,
    Plot,
    label,
    legend_below,
    listed,
    named_lines,
    new_axis,
    new_figure,
)

MARKERS = {PER_CONTEXT: ("P", MUTED), PER_QUERY: ("*", INK)}


def draw_fronts(result: Fronts) -> list[Plot]:
    """Return the figures."""
    return [front(result), worth(result)]


def front(result: Fronts) -> Plot:
    """Plot the accuracy and the cost of each policy, single LLMs with their hull, and what could be had."""
    title = "Accuracy and cost by preference"
    singles = {name: _cost_accuracy(result, point[None])[0] for name, point in result.single_llms.items()}
    singles = {name: point for name, point in singles.items() if np.isfinite(point).all()}
    rows = {name: _cost_accuracy(result, row.points) for name, row in result.rows.items() if name != ONE_LLM}
    everything = np.concatenate([*rows.values(), np.array(list(singles.values()))])
    if everything[:, 0].max() <= 0:
        return Plot("front", title, "Not drawn: nothing costs anything.")
    figure, axis = new_axis(3.4)
    scale_x(axis, everything[:, 0].tolist())
    draw_hull(axis, non_decreasing_hull(*np.array(list(singles.values())).T), everything[:, 0].max())
    axis.plot(*np.array(list(singles.values())).T, "s", color=MUTED, ms=6)
    for number, (name, points) in enumerate(rows.items()):
        marker, colour = MARKERS.get(name, ("o", PALETTE[number % len(PALETTE)]))
        axis.plot(*points.T, marker, color=colour, ms=4, ls="", label=label(name), alpha=0.8)
    axis.set(xlabel="cost of 1,000 queries (US dollars)", ylabel="share of right answers")
    axis.margins(x=0.1, y=0.1)
    legend_below(figure, named_lines(axis))
    unnamed = name_points(figure, axis, {name: tuple(point) for name, point in singles.items()}, everything)
    caption = (
        f"A point is what a row gets by one of {len(result.preferences)} preferences between accuracy, cost and "
        "latency; up and to the left is better, and latency is not seen here. Dashed: the hull of the single LLMs."
    )
    return Plot("front", title, caption + (f" No room for the names of {listed(unnamed)}." if unnamed else ""), figure)


def worth(result: Fronts) -> Plot:
    """Plot hypervolume and utility of each row, with their intervals."""
    figure = new_figure(7.2, 0.9 + 0.3 * len(result.rows))
    axes = figure.subplots(1, 2, sharey=True)
    places = list(range(len(result.rows)))
    for axis, measure, words in zip(axes, ("hypervolume", "utility"), ("hypervolume", "mean utility"), strict=True):
        _dots(axis, places, [getattr(row, measure) for row in result.rows.values()])
        axis.set(xlabel=words, yticks=places, yticklabels=[label(name) for name in result.rows])
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="#ececec", lw=0.8, axis="x")
        axis.locator_params(axis="x", nbins=4)
        axis.margins(y=0.15)
    axes[0].invert_yaxis()
    caption = (
        "Further right is better; bars are 95 % intervals over other queries, and other trainings where there were "
        "several. Hypervolume: of what a row's policies dominate above the lowest value of each objective. Utility: "
        "the mean over preferences of what the policy for each is worth by it."
    )
    return Plot("front_values", "What the policies are worth", caption, figure, is_wide=True)


def _dots(axis: Any, places: list[int], values: list[Any]) -> None:
    for place, value in zip(places, values, strict=True):
        if value["low"] is not None:
            axis.plot([value["low"], value["high"]], [place, place], color=MUTED, lw=1.5)
        axis.plot(value["mean"], place, "o", color=PALETTE[0], ms=5)


def _cost_accuracy(result: Fronts, points: Floats) -> Floats:
    """Return the cost of 1,000 queries in US dollars and the accuracy of points, shape (n, 2)."""
    return np.stack([-1000 * points[:, 1] * result.problem.reward.cost_scale_usd, points[:, 0]], axis=1)
