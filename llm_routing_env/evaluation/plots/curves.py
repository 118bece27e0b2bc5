"""What happens over a session: regret, queries sent to the best LLM, commitments, and each LLM's share."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from llm_routing_env.evaluation.intervals import ROUNDING
from llm_routing_env.evaluation.plots.style import (
    INK,
    PALE,
    REFERENCE_LINE,
    Band,
    Floats,
    Plot,
    about_grey,
    binned,
    coloured,
    draw_curve,
    legend_below,
    named_lines,
    new_axis,
    stratified_band,
    thinned,
)
from llm_routing_env.evaluation.references import BEST_FIXED
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.text import printable

Curves = Callable[[SessionLog, int], tuple[Floats, Floats]]
UNKNOWN = "Not drawn: the true best LLM is not known, since these LLMs are not the outcome table's."
BANDS = "Bands: 95 % intervals over sessions, contexts weighted equally."


def cumulative_regret(result: Comparison) -> Plot:
    """Plot expected regret to each context's best LLM, summed over the session."""
    plot = Plot("regret", "Cumulative regret", UNKNOWN)
    if not knows_regret(result):
        return plot

    def summed(log: SessionLog, length: int) -> tuple[Floats, Floats]:
        kept = thinned(length + 1)
        regret = np.pad(log.measures["regret"][:, :length].cumsum(axis=1), ((0, 0), (1, 0)))  # none before the first
        return kept.astype(np.float64), regret[:, kept]

    figure, axis = _over_session(result, summed, reference=True)
    axis.set(ylabel="cumulative regret", ylim=(0, None))
    caption = (
        "Expected reward lost to each context's best LLM, summed over the session. A line that turns flat has found "
        f"that LLM; a straight one learns nothing. Dashed black: always {printable(result.references.best_fixed)}, the "
        f"best fixed LLM in hindsight. {_bands(result)}"
    )
    return Plot(plot.name, plot.title, caption + about_grey(result, result.agents), figure)


def regret_rate(result: Comparison) -> Plot:
    """Plot expected regret per query over the session, with the events of its scenario as vertical lines."""
    plot = Plot("regret_rate", "Regret per query, and the events", UNKNOWN)
    if not knows_regret(result):
        return plot

    def rates(log: SessionLog, length: int) -> tuple[Floats, Floats]:
        middles, means, _ = binned(log.measures["regret"][:, :length])
        return middles, means

    figure, axis = _over_session(result, rates)
    for event in {event for events in result.events for event in events}:
        axis.axvspan(event.first, event.last, color=PALE, alpha=0.3, lw=0, zorder=0)
        for step in {event.first, event.last}:
            axis.axvline(step, color=INK, lw=1, ls=":", zorder=1)
    axis.set(ylabel="regret per query", ylim=(0, None))
    caption = (
        "Expected reward lost to each context's best LLM of the moment. Dotted: something changes; grey between two: "
        f"gradually. {_runs(_length(result))}{_bands(result)}"
    )
    return Plot(plot.name, plot.title, caption + about_grey(result, result.agents), figure)


def best_arm_share(result: Comparison) -> Plot:
    """Plot the share of sessions that ask their context's best LLM, over the session."""
    plot = Plot("best_arm", "Share of queries sent to the best LLM", UNKNOWN)
    if not knows_regret(result):
        return plot

    def hits(log: SessionLog, length: int) -> tuple[Floats, Floats]:
        middles, shares, _ = binned((log.measures["regret"][:, :length] <= ROUNDING).astype(np.float64))
        return middles, shares

    one_call = [name for name in result.agents if name not in result.asks]
    figure, axis = _over_session(result, hits, names=one_call)
    axis.set(ylabel="share of queries", ylim=(-0.02, 1.02))
    caption = (
        "How often the LLM asked is the best of the query's context. An agent that has converged stays at 1. "
        f"{_runs(_length(result))}{_bands(result)}"
    )
    return Plot(plot.name, plot.title, caption + about_grey(result, result.agents), figure)


def committed_share(result: Comparison) -> Plot:
    """Plot the share of sessions that have committed to one LLM, over the session."""
    title = "Share of sessions that have committed"
    committing = [
        name for name in result.agents if any((log.commitments >= 0).any() for log in result.logs[name].values())
    ]
    if not committing:
        return Plot("committed", title, "Not drawn: no agent committed to one LLM in any session.")

    def committed(log: SessionLog, length: int) -> tuple[Floats, Floats]:
        steps = np.array(thinned(length) + 1.0)
        return steps, (log.commit_steps[:, None] <= steps).astype(np.float64)

    figure, axis = _over_session(result, committed, names=committing)
    axis.set(ylabel="share of sessions", ylim=(-0.02, 1.02))
    others = len(result.agents) - len(committing)
    caption = (
        "How many sessions have settled on one LLM, whether the best one or not: the table says how many were right. "
        + (f"{others} agents never commit and have no line. " if others > 1 else "")
        + ("One agent never commits and has no line. " if others == 1 else "")
        + _bands(result)
    )
    return Plot("committed", title, caption + about_grey(result, committing), figure)


def knows_regret(result: Comparison) -> bool:
    """Return whether every regret of the agents is a number: live LLMs other than the table's have none."""
    return all(
        np.isfinite(log.measures["regret"]).all() for name in result.agents for log in result.logs[name].values()
    )


def _over_session(
    result: Comparison, curves: Curves, *, names: Sequence[str] | None = None, reference: bool = False
) -> tuple[Any, Any]:
    figure, axis = new_axis()
    styles = coloured(result)
    length = _length(result)
    for name in result.agents if names is None else names:
        x, band = _banded(result, name, curves, length)
        draw_curve(axis, x, band, styles.get(name), name)
    if reference:
        x, band = _banded(result, BEST_FIXED, curves, length)
        draw_curve(axis, x, band, REFERENCE_LINE, BEST_FIXED)
    axis.set(xlabel="queries routed", xlim=(0, length))
    legend_below(figure, named_lines(axis))
    return figure, axis


def _banded(result: Comparison, name: str, curves: Curves, length: int) -> tuple[Floats, Band]:
    drawn = [curves(log, length) for log in result.logs[name].values()]
    return drawn[0][0], stratified_band([of_context for _, of_context in drawn])


def _length(result: Comparison) -> int:
    """Return the steps of the shortest context's sessions: beyond it, contexts would drop out of the mean."""
    return min(_lengths(result))


def _lengths(result: Comparison) -> set[int]:
    return {int(log.actions.shape[1]) for logs in result.logs.values() for log in logs.values()}


def _bands(result: Comparison) -> str:
    ends = _lengths(result)
    shortest = f" Drawn up to query {min(ends)}, where the shortest context ends." if len(ends) > 1 else ""
    one = result.n_sessions == 1
    return ("One session per context: no bands." if one else BANDS) + shortest


def _runs(length: int) -> str:
    size = binned(np.zeros((1, length)))[2]
    return f"Each point averages {size} consecutive queries. " if size > 1 else ""
