"""The figure of an inspection's trade-offs: accuracy against cost, with latency as colour."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.evaluation.plots.costs import draw_hull, name_points, scale_x
from llm_routing_env.evaluation.plots.hull import non_decreasing_hull
from llm_routing_env.evaluation.plots.style import Floats, legend_below, listed, new_figure

# By whom the LLM is chosen: marker, its size in points squared, and words.
MARKERS = {
    "per_query": ("^", 14, "best per query, in hindsight"),
    "per_context": ("o", 30, "best per context"),
    "llms": ("s", 62, "single LLM"),
}


def write_trade_off_figure(document: Mapping[str, Any], folder: Path) -> Path | None:
    """Draw single LLMs, their hull, and what choosing by context and by query reaches, as a PNG file; return its path.

    Args:
        document: From `inspect_table`.
        folder: Where to put `trade_offs.png`; made if need be.

    Returns:
        None where the table lacks costs or latencies, or every LLM is free.
    """
    found = document["trade_offs"]
    if "not_judged" in found:
        return None
    points = {
        "per_query": _measured(found, found["per_query"]["front"]),
        "per_context": _measured(found, found["per_context"]["front"]),
        "llms": _measured(found, list(found["llms"].values())),
    }
    everything = np.concatenate(list(points.values()))
    if everything[:, 0].max() <= 0:
        return None
    figure = new_figure(7.2, 4.4)
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    scale_x(axis, everything[:, 0].tolist())
    singles = points["llms"]
    draw_hull(axis, non_decreasing_hull(singles[:, 0], singles[:, 1]), everything[:, 0].max())
    _draw_points(figure, axis, points, everything[:, 2])
    axis.set(xlabel="cost of a query (US dollars)", ylabel="share of right answers")
    axis.margins(x=0.1, y=0.1)
    figure.suptitle(f"Accuracy, cost and latency to be had: {document['table']}".replace("$", r"\$"), fontsize=10)
    legend_below(figure, axis.get_legend_handles_labels()[0])
    places = dict(zip(found["llms"], map(tuple, singles[:, :2]), strict=True))
    first = sorted(places, key=lambda name: name not in found["llms_on_front"])  # where room is short
    unnamed = name_points(figure, axis, {name: places[name] for name in first}, singles[:, :2])
    if unnamed:
        axis.set_title(f"no room for the names of {listed(unnamed, 3)}", fontsize=7)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "trade_offs.png"
    with replacing(path) as new:
        figure.savefig(new, format="png", dpi=150, facecolor="white")
    return path


def _measured(found: Mapping[str, Any], points: list[list[float]]) -> Floats:
    """Return points as cost in US dollars, accuracy, and latency in milliseconds (the geometric mean), shape (n, 3)."""
    accuracy, cost, latency = np.array(points).T
    return np.stack([-cost * found["cost_scale_usd"], accuracy, 10 ** (-latency * found["t_scaling"])], axis=1)


def _draw_points(figure: Any, axis: Any, points: Mapping[str, Floats], latencies_ms: Floats) -> None:
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter

    plain = FuncFormatter(lambda value, _: f"{value:g}")
    norm = LogNorm(latencies_ms.min(), latencies_ms.max())
    for name, (marker, size, words) in MARKERS.items():
        costs, accuracies, colours = points[name].T
        edge = "black" if name == "llms" else "none"
        drawn = axis.scatter(
            costs, accuracies, size, colours, marker=marker, cmap="viridis_r", norm=norm, edgecolors=edge, label=words
        )
    bar = figure.colorbar(drawn, ax=axis, label="latency (ms, geometric mean)", pad=0.02, format=plain)
    bar.ax.yaxis.set_minor_formatter(plain)
