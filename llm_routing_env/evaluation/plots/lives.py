"""What lifelong learners earn over their lives."""

import numpy as np

from llm_routing_env.evaluation.plots.style import (
    MUTED,
    REFERENCE_LINE,
    Band,
    Plot,
    about_grey,
    coloured,
    draw_curve,
    legend_below,
    named_lines,
    new_axis,
)
from llm_routing_env.evaluation.references import BEST_FIXED
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.text import printable


def life_curves(result: Comparison) -> Plot:
    """Plot the mean reward of lifelong learners by queries lived, beside the best fixed LLM on the same queries."""
    figure, axis = new_axis()
    styles = coloured(result)
    for name, curve in result.life_curves.items():
        band = Band(curve.reward, curve.reward - curve.half_width, curve.reward + curve.half_width)
        draw_curve(axis, curve.ends.astype(np.float64), band, styles.get(name), name)
    curve = next(iter(result.life_curves.values()))
    unknown = np.full(len(curve.ends), np.nan)
    line = Band(curve.best_fixed, unknown, unknown)
    draw_curve(axis, curve.ends.astype(np.float64), line, REFERENCE_LINE, BEST_FIXED)
    if curve.n_past:
        axis.axvline(curve.n_past, color=MUTED, lw=0.8)
    axis.set(xlabel="queries lived", ylabel="mean reward", xlim=(0, int(curve.ends[-1])))
    legend_below(figure, named_lines(axis))
    said = [f"{printable(name)} {_crossing(found.crosses_after)}" for name, found in result.life_curves.items()]
    judged = f"Right of the line, after {curve.n_past} queries of the train split, they are judged. "
    caption = (
        f"Mean reward of {result.n_lifetimes} lifetimes over runs of queries. {judged if curve.n_past else ''}"
        f"Dashed black: always {printable(result.references.best_fixed)}, the best fixed LLM in hindsight, on the same "
        f"queries. Bands: 95 % intervals over lifetimes of the difference to it. {'; '.join(said)}."
    )
    grey = about_grey(result, list(result.life_curves))
    return Plot("life_curves", "Reward over a lifetime", caption + grey, figure)


def _crossing(after: int | None) -> str:
    return "does not get ahead of it for good" if after is None else f"gets ahead of it after {after} queries"
