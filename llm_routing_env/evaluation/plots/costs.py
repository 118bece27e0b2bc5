"""What agents cost and how long they take: cost against accuracy with the single LLMs' hull, and latencies."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from llm_routing_env.evaluation.intervals import Interval
from llm_routing_env.evaluation.plots.hull import aiq, non_decreasing_hull, quality_at
from llm_routing_env.evaluation.plots.style import (
    INK,
    MUTED,
    PALE,
    Floats,
    Plot,
    about_grey,
    coloured,
    interval,
    label,
    legend_below,
    listed,
    named_lines,
    new_axis,
)
from llm_routing_env.evaluation.references import BEST_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.result import Comparison

Point = tuple[float, float]
QUANTILES = (5, 25, 50, 75, 95)
BOXES = {
    "boxprops": {"facecolor": "#cfe3f1", "edgecolor": INK, "lw": 0.9},
    "medianprops": {"color": "#B3400B", "lw": 2},
    "whiskerprops": {"color": INK, "lw": 1.1},
    "capprops": {"color": INK, "lw": 1.1},
}
# Where a name may stand beside its point, in points, first come first served.
PLACES = ((6, 4, "left"), (6, -11, "left"), (-6, 4, "right"), (-6, -11, "right"), (0, 9, "center"), (0, -16, "center"))


def cost_accuracy(result: Comparison) -> Plot:
    """Plot cost against accuracy: agents, each single LLM with the hull of all, and what could be had."""
    title = "Cost against accuracy"
    singles = [name for name in result.references.actions if name.startswith("always ")]
    rows = [*singles, *result.agents, CONTEXT_BEST, ORACLE]
    points = {name: _point(result, name) for name in rows}
    if not np.isfinite(np.array(list(points.values()))).all():
        return Plot("cost_accuracy", title, "Not drawn: not every cost and accuracy is known.")
    if max(cost for cost, _ in points.values()) <= 0:
        return Plot("cost_accuracy", title, "Not drawn: nothing costs anything.")
    figure, axis = new_axis(3.4)
    scale_x(axis, [cost for cost, _ in points.values()])
    hull = non_decreasing_hull(*np.array([points[name] for name in singles]).T)
    draw_hull(axis, hull, max(cost for cost, _ in points.values()))
    for name in singles:
        axis.plot(*points[name], "s", color=MUTED, ms=6)
    for name, marker in ((CONTEXT_BEST, "P"), (ORACLE, "*")):
        axis.plot(*points[name], marker, color=INK, ms=9, label=name, ls="")
    _draw_agents(axis, result)
    axis.set(xlabel="cost of a session (US dollars)", ylabel="share of right answers")
    axis.margins(x=0.1, y=0.1)
    legend_below(figure, named_lines(axis))
    unnamed = name_points(
        figure, axis, {name.removeprefix("always "): points[name] for name in singles}, points.values()
    )
    caption = _caption(result, points, singles) + about_grey(result, result.agents)
    if unnamed:
        caption += f" No room for the names of {listed(unnamed)}."
    return Plot("cost_accuracy", title, caption, figure)


def latencies(result: Comparison) -> Plot:
    """Plot the distribution of the latency of single queries, one box per agent and for the best fixed LLM."""
    title = "Latency of a query"
    rows = [*result.agents, BEST_FIXED, ORACLE]
    values = {name: _latencies_ms(result, name) for name in rows}
    drawn = {name: found for name, found in values.items() if len(found)}
    if not drawn:
        return Plot("latency", title, "Not drawn: no latency is known.")
    figure, axis = new_axis(0.9 + 0.26 * len(drawn))
    boxes = [_box(name, found) for name, found in drawn.items()]
    axis.bxp(boxes, orientation="horizontal", showfliers=False, widths=0.6, patch_artist=True, **BOXES)
    axis.invert_yaxis()
    scale_x(axis, [quantile for box in boxes for quantile in (box["whislo"], box["whishi"])])
    axis.set_xlabel("milliseconds")
    axis.tick_params(labelsize=9)
    caption = (
        "Per query, over all sessions and contexts. Box: the middle half, with the median; whiskers: 5 % and 95 % of "
        "the queries."
    )
    return Plot("latency", title, caption, figure)


def _point(result: Comparison, name: str) -> Point:
    cost, accuracy = (interval(result, name, metric)["mean"] for metric in ("session_cost_usd", "accuracy"))
    return np.nan if cost is None else cost, np.nan if accuracy is None else accuracy


def scale_x(axis: Any, values: Sequence[float]) -> None:
    """Give the x axis a logarithmic scale where its values span more than a factor of 10, with plain numbers on it."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = min(values), max(values)
    if low > 0 and high > 10 * low:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def draw_hull(axis: Any, hull: Floats, largest_cost: float) -> None:
    """Draw the hull of single LLMs up to some cost."""
    # Straight in cost, so on a logarithmic axis it has to be drawn point by point.
    costs = np.unique(np.append(np.geomspace(max(hull[0, 0], largest_cost * 1e-6), largest_cost, 80), hull[:, 0]))
    axis.plot(costs, quality_at(hull, costs), color=MUTED, lw=1.3, ls="--", label="single LLMs' hull", zorder=1)


def _draw_agents(axis: Any, result: Comparison) -> None:
    styles = coloured(result)
    for name in sorted(result.agents, key=lambda name: name in styles):  # the grey ones below
        costs, accuracies = (_bounds(interval(result, name, metric)) for metric in ("session_cost_usd", "accuracy"))
        colour = styles[name]["color"] if name in styles else PALE
        axis.plot(costs[[0, 2]], accuracies[[1, 1]], color=colour, lw=1)
        axis.plot(costs[[1, 1]], accuracies[[0, 2]], color=colour, lw=1)
        named = {"label": label(name), "ms": 7} if name in styles else {"ms": 4}
        axis.plot(costs[1], accuracies[1], "o", color=colour, **named)


def _bounds(value: Interval) -> Floats:
    """Return low, mean and high, NaN where there are none."""
    return np.array([value["low"], value["mean"], value["high"]], dtype=np.float64)


def name_points(figure: Any, axis: Any, points: dict[str, Point], others: Iterable[Point]) -> list[str]:
    """Write each name beside its point, in the first place where it covers no other name and no point.

    Returns:
        The names for which there is no such place.
    """
    figure.draw_without_rendering()
    at = axis.transData.transform(list(others))
    taken: list[Any] = []
    unnamed = []
    for name, point in points.items():
        for x, y, side in PLACES:
            text = _annotate(axis, label(name, 18), point, (x, y), side)
            box = text.get_window_extent()
            free = not any(box.overlaps(other) for other in taken) and not box.count_contains(at)
            if free and axis.bbox.x0 <= box.x0 and box.x1 <= axis.bbox.x1:
                taken.append(box)
                break
            text.remove()
        else:
            unnamed.append(name)
    return unnamed


def _annotate(axis: Any, name: str, point: Point, offset: tuple[int, int], side: str) -> Any:
    ground = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.5}  # keeps lines from striking names out
    style = {"fontsize": 8.5, "color": INK, "bbox": ground, "in_layout": False}
    return axis.annotate(name, point, offset, textcoords="offset points", ha=side, **style)


def _caption(result: Comparison, points: dict[str, Point], singles: Sequence[str]) -> str:
    largest = max(cost for cost, _ in points.values())

    def area(names: Sequence[str]) -> float:
        return aiq(non_decreasing_hull(*np.array([points[name] for name in names]).T), largest)

    hull = non_decreasing_hull(*np.array([points[name] for name in singles]).T)
    lows = {name: interval(result, name, "accuracy")["low"] or 0.0 for name in result.agents}
    above = [name for name in result.agents if lows[name] > quality_at(hull, np.array([points[name][0]]))[0]]
    verdict = f"Clearly above the hull: {listed(above)}." if above else "No agent is clearly above the hull."
    areas = [area(names) for names in (singles, [*singles, *result.agents], [*singles, ORACLE])]
    return (
        "Up and to the left is better; bars are 95 % intervals. Dashed: the non-decreasing convex hull of the single "
        "LLMs, which anyone reaches who shares queries at random between two of them. "
        f"{verdict} AIQ (RouterBench's measure: the area under the hull from its cheapest point on, extended flat to "
        f"the largest cost, divided by that cost) is {areas[0]:.3f} for the single LLMs, {areas[1]:.3f} with the "
        f"agents added and {areas[2]:.3f} with the per-query oracle."
    )


def _latencies_ms(result: Comparison, name: str) -> Floats:
    found = np.concatenate([log.measures["latency_s"].ravel() for log in result.logs[name].values()]) * 1000.0
    known: Floats = found[np.isfinite(found)]
    return known


def _box(name: str, values: Floats) -> dict[str, Any]:
    low, first, median, third, high = np.percentile(values, QUANTILES)
    return {"label": label(name), "whislo": low, "q1": first, "med": median, "q3": third, "whishi": high}
