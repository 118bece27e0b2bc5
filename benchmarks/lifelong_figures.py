"""The pictures of docs/online-pays.md: learning curves of each table, and how many queries it takes to get ahead."""

from pathlib import Path
from typing import Any

import numpy as np
from lifelong_cases import Case, cases, plain

from llm_routing_env.evaluation.plots.style import DASHES, MUTED, PALETTE, REFERENCE_LINE, legend_below, new_figure

DRAWN = (
    "outcome_linear on context",
    "outcome_linear on context+embedding32",
    "outcome_thompson lives",
    "linucb on context",
    "per_context_q lives",
    "learning_automaton kept",
    "ParetoBandit on context",
    "VowpalWabbit on context",
)
COUNTED = (*DRAWN[:1], "outcome_ucb lives", *DRAWN[3:])
STYLES = {name: {"color": PALETTE[i], "ls": DASHES[i]} for i, name in enumerate(DRAWN)}


def draw(table: str, folder: Path) -> list[Path]:
    """Draw a table's learning curves, and the figure of all tables anew."""
    return [_lifetimes(table, folder), _sample_size(folder)]


def _lifetimes(table: str, folder: Path) -> Path:
    of = [case for case in cases() if case.table == table]
    figure = new_figure(4.6 * len(of), 3.2)
    panels = figure.subplots(1, len(of), squeeze=False)[0]
    for axis, case in zip(panels, of, strict=True):
        _curves(axis, case)
    panels[0].set_ylabel("reward minus the best fixed LLM's")
    legend_below(figure, [line for line in panels[0].lines if not line.get_label().startswith("_")])
    path = folder / f"lifetime_{table}.png"
    figure.savefig(path, dpi=130)
    return path


def _curves(axis: Any, case: Case) -> None:
    ends, fixed = (np.array(case.found[key]) for key in ("queries_lived", "best_fixed"))
    middles = (ends + np.append(0, ends[:-1])) / 2
    axis.axhline(0, **REFERENCE_LINE, lw=1.4, label="always the best fixed LLM")
    for row in case.rows("lifelong"):
        if row["row"] in STYLES:
            gain = np.array(row["reward"]) - fixed
            axis.plot(middles, gain, lw=1.3, label=plain(row["row"]), **STYLES[row["row"]])
    axis.axvline(case.found["queries_before_judged"], color=MUTED, lw=0.8)
    axis.set(title=case.name, xlabel="queries lived", xlim=(0, ends[-1]))
    _plain(axis)


def _sample_size(folder: Path) -> Path:
    of = list(cases())
    knowing = {
        "per-context best minus best fixed LLM": [case.worth for case in of],
        "oracle minus best fixed LLM": [case.headroom for case in of],
        "LLMs": [case.found["llms"] for case in of],
    }
    figure = new_figure(10.5, 4.2)
    panels = figure.subplots(1, len(knowing), sharey=True)
    for axis, (label, x) in zip(panels, knowing.items(), strict=True):
        for number, name in enumerate(COUNTED):
            _points(axis, of, x, name, PALETTE[number], 0.012 * (max(x) - min(x)) * (number - len(COUNTED) / 2))
        axis.set(xlabel=label, yscale="log")
        _name_tables(axis, of, x)
        _plain(axis)
    panels[0].set_ylabel("queries until ahead of the best fixed LLM\n(hollow: not clearly, in so many)")
    legend_below(figure, [line for line in panels[0].lines if not line.get_label().startswith("_")])
    path = folder / "sample_size.png"
    figure.savefig(path, dpi=130)
    return path


def _name_tables(axis: Any, of: list[Case], x: list[float]) -> None:
    """Write over the points which tables they are of, where there is room beside the name before."""
    named = min(x) - (max(x) - min(x))
    for place in sorted(set(x)):
        if place - named > 0.04 * (max(x) - min(x)):
            tables = dict.fromkeys(case.table for case, other in zip(of, x, strict=True) if other == place)
            axis.text(place, 1.02, ", ".join(tables), rotation=60, fontsize=7, transform=axis.get_xaxis_transform())
            named = place


def _points(axis: Any, of: list[Case], x: list[float], name: str, colour: str, shift: float) -> None:
    """Draw a learner's cases, a little beside the others'."""
    style = {"color": colour, "ls": "", "ms": 5}
    axis.plot([], [], marker="o", label=plain(name), **style)
    for case, place in zip(of, x, strict=True):
        for row in case.rows("lifelong"):
            if row["row"] == name:
                after, last = row["ahead_after"], case.found["queries_lived"][-1]
                shape = {"marker": "o"} if after else {"marker": "^", "mfc": "none"}
                axis.plot(place + shift, after or last, **shape, **style)


def _plain(axis: Any) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(color="#ececec", lw=0.8)
    axis.set_axisbelow(True)
