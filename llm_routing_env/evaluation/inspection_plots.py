"""The figure of an inspection: which LLM is best in each context as each weight of the reward moves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.evaluation.plots.style import INK, label

MAX_CONTEXTS = 24  # more strips than that cannot be told apart


def write_sweep_figure(document: Mapping[str, Any], folder: Path) -> Path:
    """Draw one strip per context and weight, coloured by the best LLM, as a PNG file; return its path.

    Args:
        document: From `inspect_table`.
        folder: Where to put `best_llm_by_weight.png`; made if need be.
    """
    from matplotlib.figure import Figure

    sweep, sizes = document["sweep"], document["sizes"]["contexts"]
    shown = sorted(sorted(sizes, key=lambda context: -sizes[context])[:MAX_CONTEXTS])
    winners = sorted({llm for term in sweep.values() for context in shown for llm in term["best"][context]})
    colours = _colours(winners)
    width, height = 2.0 + 3.2 * len(sweep), 1.7 + 0.34 * len(shown)
    figure = Figure(figsize=(width, height + 0.22 * ((len(winners) + 2) // 3)), layout="constrained")
    axes = figure.subplots(1, len(sweep), sharey=True, squeeze=False)[0]
    for axis, (term, swept) in zip(axes, sweep.items(), strict=True):
        _draw_strips(axis, swept, shown, colours)
        axis.axvline(document["audit"][term]["weight"] or np.nan, color=INK, lw=1.2, ls=":")
        axis.set(xscale="log", xlabel=f"weight of {term}")
    axes[0].set_yticks(range(len(shown)), [label(context) for context in shown], fontsize=8)
    left_out = f"; the {len(shown)} largest contexts" if len(shown) < len(sizes) else ""
    figure.suptitle(
        f"Best LLM as one weight moves ({document['reward']}; dotted: the weight now{left_out})", fontsize=10
    )
    patches = [_patch(colours[llm], label(llm)) for llm in winners]
    figure.legend(handles=patches, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "best_llm_by_weight.png"
    with replacing(path) as new:
        figure.savefig(new, format="png", dpi=130, facecolor="white")
    return path


def _draw_strips(axis: Any, swept: Mapping[str, Any], contexts: list[str], colours: Mapping[str, Any]) -> None:
    weights = np.array(swept["weights"])
    middles = np.sqrt(weights[1:] * weights[:-1])
    edges = np.array([weights[0] ** 2 / middles[0], *middles, weights[-1] ** 2 / middles[-1]])
    for row, context in enumerate(contexts):
        strip = [colours[llm] for llm in swept["best"][context]]
        axis.barh(row, np.diff(edges), left=edges[:-1], height=0.8, color=strip, lw=0)
    axis.set(xlim=(edges[0], edges[-1]), ylim=(len(contexts) - 0.5, -0.5))
    axis.tick_params(axis="y", length=0)


def _colours(names: list[str]) -> dict[str, Any]:
    from matplotlib import colormaps

    palette = colormaps["tab10" if len(names) <= 10 else "tab20"]
    return {name: palette(number % palette.N) for number, name in enumerate(names)}


def _patch(colour: Any, name: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour, label=name)
