"""Figures of a comparison, as PNG files: what the agents choose, what it costs them, what they get for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.evaluation.comparison import POOLED, Comparison
from llm_routing_env.evaluation.references import BEST_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.sessions import SessionLog

INK, MUTED = "#222222", "#777777"
LEARNERS_SHOWN = 2
_LABEL_PLACES = (((-7, -12), "right"), ((7, -12), "left"), ((-7, 5), "right"), ((7, 14), "left"))


def write_figures(result: Comparison, folder: Path) -> list[Path]:
    """Write every figure of a comparison into a folder and return their paths."""
    figures = {
        "probabilities.png": selection_probabilities(result),
        "regret.png": cumulative_regret(result),
        "cost_accuracy.png": cost_accuracy(result),
    }
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=130, facecolor="white")
    return [folder / name for name in figures]


def selection_probabilities(result: Comparison) -> Any:
    """Plot each LLM's mean probability over the session: a row per learner, a column per context."""
    agents = [name for name in result.agents if _moves(result, name)][:LEARNERS_SHOWN] or result.agents[:1]
    contexts = list(result.logs[agents[0]])
    figure = _figure(2.1 * len(contexts) + 0.9, 2.0 * len(agents) + 1.1)
    axes = figure.subplots(len(agents), len(contexts), sharex=True, sharey=True, squeeze=False)
    names = result.problem.table.llm_names
    for row, agent in enumerate(agents):
        for column, context in enumerate(contexts):
            axis = axes[row][column]
            best = int(np.argmax(result.problem.expected_rewards(context)))
            curves = result.logs[agent][context].probabilities.T
            for llm, curve in enumerate(curves):
                axis.plot(curve, color=f"C{llm}", lw=2.6 if llm == best else 1.2, label=names[llm])
            axis.set_ylim(-0.02, 1.02)
            if row == 0:
                axis.set_title(f"{context}\nbest: {names[best]}", fontsize=9, color=INK)
            if column == 0:
                axis.set_ylabel(agent, fontsize=9)
            if row == len(agents) - 1:
                axis.set_xlabel("queries routed", fontsize=8)
    figure.suptitle("Mean probability of each LLM (the context's best drawn bold)", fontsize=11)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=len(names), fontsize=9)
    return figure


def cumulative_regret(result: Comparison) -> Any:
    """Plot expected regret to each context's best LLM, summed over the session, with 95 % bands over sessions."""
    figure = _figure(7, 4.2)
    axis = figure.subplots()
    for number, name in enumerate([*result.agents, BEST_FIXED]):
        curve, low, high = _regret_band(list(result.logs[name].values()))
        style = {"color": INK, "ls": "--"} if name == BEST_FIXED else {"color": f"C{number}"}
        label = f"{name} ({result.references.best_fixed})" if name == BEST_FIXED else name
        axis.plot(np.arange(1, len(curve) + 1), curve, label=label, lw=1.8, **style)
        axis.fill_between(np.arange(1, len(curve) + 1), low, high, alpha=0.2, color=style["color"], lw=0)
    axis.set(xlabel="queries routed", ylabel="cumulative regret", xlim=(0, None), ylim=(0, None))
    axis.set_title("Regret to each context's best LLM (mean over contexts, 95 % band)", fontsize=11)
    axis.legend(fontsize=8, frameon=False)
    return figure


def cost_accuracy(result: Comparison) -> Any:
    """Plot cost against accuracy: agents, each single LLM, and the references."""
    figure = _figure(7, 4.6)
    axis = figure.subplots()
    singles = [name for name in result.references.actions if name.startswith("always ")]
    for names, marker, colour in (
        (singles, "s", MUTED),
        ([CONTEXT_BEST, ORACLE], "*", INK),
        (result.agents, "o", "C0"),
    ):
        for number, name in enumerate(names):
            cost, accuracy = (_pooled(result, name, key) for key in ("session_cost_usd", "accuracy"))
            point = (cost["mean"], accuracy["mean"])
            errors = ([[value["mean"] - value["low"]], [value["high"] - value["mean"]]] for value in (cost, accuracy))
            xerr, yerr = errors
            size = 9 if marker == "*" else 6
            axis.errorbar(*point, xerr=xerr, yerr=yerr, fmt=marker, ms=size, color=colour, elinewidth=1)
            # Agents that end alike lie on top of each other: their labels take turns around the point.
            offset, side = _LABEL_PLACES[number % len(_LABEL_PLACES)] if marker == "o" else ((7, 4), "left")
            axis.annotate(name, point, offset, textcoords="offset points", ha=side, fontsize=8, color=INK)
    axis.set(xscale="log", xlabel="cost of a session (US dollars, log scale)", ylabel="accuracy")
    axis.margins(x=0.22, y=0.12)
    axis.set_title("Cost against accuracy, with 95 % intervals", fontsize=11)
    return figure


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _moves(result: Comparison, agent: str) -> bool:
    """Return whether the agent's probabilities change over a session: it learns."""
    return any(np.ptp(log.probabilities, axis=0).max() > 0.1 for log in result.logs[agent].values())


def _pooled(result: Comparison, name: str, metric: str) -> Any:
    return result.metrics[name][POOLED][metric]


def _regret_band(logs: Sequence[SessionLog]) -> tuple[Any, Any, Any]:
    length = min(log.measures["regret"].shape[1] for log in logs)
    curves = [log.measures["regret"][:, :length].cumsum(axis=1) for log in logs]
    mean = np.mean([curve.mean(axis=0) for curve in curves], axis=0)
    # Normal interval of the stratified mean: a bootstrap of every step would look the same.
    variance = np.sum(
        [curve.var(axis=0, ddof=1) / len(curve) if len(curve) > 1 else 0 * curve[0] for curve in curves],
        axis=0,
    )
    half = 1.96 * np.sqrt(variance) / len(curves)
    return mean, mean - half, mean + half
