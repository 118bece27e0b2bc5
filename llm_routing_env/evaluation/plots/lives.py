"""What lifelong learners earn over their lives."""

from typing import Any

import numpy as np

from llm_routing_env.evaluation.plots.style import (
    DASHES,
    MUTED,
    PALETTE,
    REFERENCE_LINE,
    Band,
    Plot,
    coloured,
    draw_curve,
    legend_below,
    named_lines,
    new_axis,
)
from llm_routing_env.evaluation.references import BEST_FIXED
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.verdicts import MIN_SESSIONS
from llm_routing_env.text import printable


def life_curves(result: Comparison) -> Plot:
    """Plot the mean reward of lifelong learners by queries lived, beside the best fixed LLM on the same queries."""
    figure, axis = new_axis()
    styles = _styles(result)
    for name, curve in result.life_curves.items():
        band = Band(curve.reward, curve.reward - curve.half_width, curve.reward + curve.half_width)
        draw_curve(axis, curve.ends.astype(np.float64), band, styles.get(name), name)
    curve = max(result.life_curves.values(), key=lambda found: int(found.ends[-1]))  # routers from files live less
    unknown = np.full(len(curve.ends), np.nan)
    line = Band(curve.best_fixed, unknown, unknown)
    draw_curve(axis, curve.ends.astype(np.float64), line, REFERENCE_LINE, BEST_FIXED)
    if curve.n_past:
        axis.axvline(curve.n_past, color=MUTED, lw=0.8)
    axis.set(xlabel="queries lived", ylabel="mean reward", xlim=(0, int(curve.ends[-1])))
    legend_below(figure, named_lines(axis))
    judged = f"Right of the line, after {curve.n_past} queries of the train split, they are judged. "
    caption = (
        f"Mean reward of {result.n_lifetimes} lifetimes over runs of queries. {judged if curve.n_past else ''}"
        f"Dashed black: always {printable(result.references.best_fixed)}, the best fixed LLM in hindsight, on the same "
        "queries. Bands: 95 % intervals of the difference to it, which speak of other lifetimes on these queries and "
        f"not of other queries. {_crossings(result)}"
    )
    n_grey = len(result.life_curves) - len(styles)
    grey = f" {n_grey} more are grey." if n_grey > 0 else ""
    return Plot("life_curves", "Reward over a lifetime", caption + grey, figure)


def _styles(result: Comparison) -> dict[str, dict[str, Any]]:
    """Return line styles of the first lifelong agents: those of the other figures, or what is left of the palette."""
    others = coloured(result)
    chosen = {name: others[name] for name in result.life_curves if name in others}
    used = [style["color"] for style in chosen.values()]
    left = [{"color": PALETTE[i], "ls": DASHES[i]} for i in range(len(PALETTE)) if PALETTE[i] not in used]
    without = [name for name in result.life_curves if name not in chosen]
    return chosen | dict(zip(without, left, strict=False))


def _crossings(result: Comparison) -> str:
    """Say when each lifelong agent gets ahead of the best fixed LLM."""
    if result.n_lifetimes < MIN_SESSIONS:
        return f"Fewer than {MIN_SESSIONS} lifetimes do not show who gets ahead of it."
    after = {
        printable(name): curve.crosses_after(is_clear_gain=result.is_clear_gain(name))
        for name, curve in result.life_curves.items()
    }
    said = [
        f"{name} {'does not clearly get ahead of it' if n is None else f'gets ahead of it after {n} queries'}"
        for name, n in after.items()
    ]
    return f"{'; '.join(said)}."
