"""What the figures of a comparison share: colours, labels, which agents get one, and bands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.evaluation.intervals import NOTHING, Interval
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.text import printable

Floats = NDArray[np.float64]
INK, MUTED, PALE = "#222222", "#6b6b6b", "#c9c9c9"
# Okabe and Ito's colours, which colour-blind readers can tell apart, without yellow: too pale for a line on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4DA8", "#8C6D31")
REFERENCE_LINE = {"color": INK, "ls": (0, (2, 2))}
DASHES = ("-", "-", "-", "-", "--", "--", "--", "--")
WIDTH = 4.6  # inches: on a phone its letters are still 9 pixels high
LABEL_LENGTH = 30
MAX_POINTS = 200


class Band(NamedTuple):
    """A curve and its pointwise 95 % interval, each of shape (points,)."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Plot:
    """A figure with the words that go with it.

    Attributes:
        name: Of its file, without ending.
        title: What is drawn.
        caption: What to see, how it was computed, and what is left out.
        figure: A matplotlib figure; None where there is nothing to draw, and the caption says why.
        is_wide: Whether it needs the whole width of a page.
    """

    name: str
    title: str
    caption: str
    figure: Any = None
    is_wide: bool = False


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure; sizes in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def new_axis(height: float = 2.9) -> tuple[Any, Any]:
    """Return a figure of the usual width with one pair of axes."""
    figure = new_figure(WIDTH, height)
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(color="#ececec", lw=0.8)
    axis.set_axisbelow(True)
    return figure, axis


def label(name: str, length: int = LABEL_LENGTH) -> str:
    """Return a name as matplotlib shall draw it: short, and never read as a formula."""
    name = printable(name)
    # The end tells module:Class from module:OtherClass.
    short = name if len(name) <= length else f"…{name[1 - length :].lstrip('._:')}"
    return short.replace("$", r"\$")


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return names as a list in words; where they are many, the first ones and how many more there are."""
    parts = [printable(name) for name in names]
    if len(parts) > most:
        parts[most - 1 :] = [f"{len(parts) - most + 1} more"]
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)


def coloured(result: Comparison) -> dict[str, dict[str, Any]]:
    """Return the line style of each agent that gets a colour: all, or the best by mean reward where they are many."""
    ranked = sorted(result.agents, key=lambda name: -(interval(result, name, "reward")["mean"] or -np.inf))
    chosen = [name for name in result.agents if name in ranked[: len(PALETTE)]]
    return {name: {"color": PALETTE[i], "ls": DASHES[i]} for i, name in enumerate(chosen)}


def about_grey(result: Comparison, drawn: Sequence[str]) -> str:
    """Return the sentence on agents that are drawn without a colour; empty where there are none."""
    n_grey = len(set(drawn) - coloured(result).keys())
    if not n_grey:
        return ""
    return f" Coloured: the {len(PALETTE)} agents with the highest mean reward; the other {n_grey} are grey."


def draw_curve(axis: Any, x: Floats, band: Band, style: dict[str, Any] | None, name: str) -> None:
    """Draw a line with its band; without a style, a thin grey line that has no name."""
    mean, low, high = band
    if style is None:
        axis.plot(x, mean, color=PALE, lw=0.8, zorder=1)
        return
    axis.plot(x, mean, label=label(name), lw=1.8, marker="o" if len(x) == 1 else None, **style)
    if np.isfinite(low).any():
        axis.fill_between(x, low, high, color=style["color"], alpha=0.16, lw=0)


def legend_below(figure: Any, handles: Sequence[Any]) -> None:
    """Put a legend of named artists under the axes, where it hides nothing, and make the figure higher by that much."""
    if not handles:  # all are grey
        return
    entry = 0.5 + 0.077 * max(len(handle.get_label()) for handle in handles)  # inches: the sample, and the letters
    n_columns = min(len(handles), max(1, int(figure.get_figwidth() / entry)))
    figure.set_figheight(figure.get_figheight() + 0.2 * -(-len(handles) // n_columns))
    figure.legend(handles=handles, loc="outside lower center", ncols=n_columns, fontsize=9, frameon=False)


def named_lines(axis: Any) -> list[Any]:
    """Return the lines that shall stand in the legend."""
    return [line for line in axis.lines if not line.get_label().startswith("_")]


def interval(result: Comparison, name: str, metric: str, group: str = POOLED) -> Interval:
    """Return a metric of a row, with nothing in it where the comparison lacks it."""
    return result.metrics[name][group].get(metric, NOTHING)


def stratified_band(strata: Sequence[Floats]) -> Band:
    """Return the mean of curves of shape (sessions, points), contexts weighted equally.

    The band is the 95 % normal interval over sessions; NaN where a context has one session only.
    """
    mean = np.mean([curves.mean(axis=0) for curves in strata], axis=0)
    if min(len(curves) for curves in strata) < 2:
        return Band(mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan))
    variance = np.sum([curves.var(axis=0, ddof=1) / len(curves) for curves in strata], axis=0)
    half = 1.96 * np.sqrt(variance) / len(strata)
    return Band(mean, mean - half, mean + half)


def thinned(n_points: int) -> NDArray[np.int64]:
    """Return at most `MAX_POINTS` indices that span so many points, the first and the last among them."""
    chosen: NDArray[np.int64] = np.unique(
        np.linspace(0, n_points - 1, min(n_points, MAX_POINTS)).round().astype(np.int64)
    )
    return chosen


def binned(values: Floats, n_bins: int = 40) -> tuple[Floats, Floats, int]:
    """Average values of shape (sessions, steps) over runs of consecutive steps.

    Returns:
        The middle of each run in queries routed, the means of shape (sessions, runs), and the steps of a run.
    """
    n_steps = values.shape[1]
    size = -(-n_steps // n_bins)
    starts = np.arange(0, n_steps, size)
    counts = np.diff([*starts, n_steps])
    return starts + (counts + 1) / 2, np.add.reduceat(values, starts, axis=1) / counts, size
