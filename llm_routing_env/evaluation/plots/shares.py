"""Which LLM each agent asks as a session goes on: one small panel per agent and context."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from llm_routing_env.evaluation.plots.curves import knows_regret
from llm_routing_env.evaluation.plots.style import (
    INK,
    PALETTE,
    Plot,
    binned,
    interval,
    label,
    legend_below,
    listed,
    new_figure,
)
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.sessions import Ints, SessionLog
from llm_routing_env.rewards.reward_table import best_of_known

MAX_AGENTS, MAX_CONTEXTS, MAX_LLMS = 6, 9, len(PALETTE)
OTHERS = "#bdbdbd"


def arm_shares(result: Comparison) -> Plot:
    """Plot the share of sessions that ask each LLM: a row per agent, a column per context."""
    agents, contexts = _shown_agents(result), list(result.logs[result.agents[0]])[:MAX_CONTEXTS]
    colours = _colours(result, agents, contexts)
    figure = new_figure(max(1.5 * len(contexts) + 0.75, 3.4), 1.35 * len(agents) + 0.7)
    axes = figure.subplots(len(agents), len(contexts), squeeze=False)
    for row, agent in zip(axes, agents, strict=True):
        for axis, context in zip(row, contexts, strict=True):
            _draw_panel(axis, result.logs[agent][context].actions, _best_llm(result, context), colours)
            axis.tick_params(labelsize=8, labelbottom=agent == agents[-1], labelleft=context == contexts[0])
        row[0].set_ylabel(label(agent, 18), fontsize=8.5)
    for axis, context in zip(axes[0], contexts, strict=True):
        axis.set_title(_heading(result, context), fontsize=9, color=INK)
    for axis in axes[-1]:
        axis.set_xlabel("queries routed", fontsize=8)
    _legend(figure, result, colours)
    return Plot("probabilities", "Share of sessions that ask each LLM", _caption(result, agents), figure, True)


def _draw_panel(axis: Any, actions: Ints, best: int | None, colours: dict[int, str]) -> None:
    """Stack the LLMs' shares: the best at the bottom, those without a colour of their own on top, as one."""
    from matplotlib.collections import PolyCollection

    order = sorted(colours, key=lambda llm: (llm != best, llm))
    binnings = [binned((actions == llm).astype(np.float64)) for llm in order]
    middles = np.array([0.0, *binnings[0][0], actions.shape[1]])  # the first and the last run reach to the edges
    shares = np.stack([np.pad(means.mean(axis=0), 1, mode="edge") for _, means, _ in binnings])
    tops = np.vstack([np.zeros(len(middles)), shares.cumsum(axis=0), np.ones(len(middles))])
    areas = [
        np.column_stack([np.append(middles, middles[::-1]), np.append(low, high[::-1])]) for low, high in pairwise(tops)
    ]
    # One collection per panel: with an artist for every LLM, a large grid takes far longer.
    faces = [*(colours[llm] for llm in order), OTHERS]
    axis.add_collection(PolyCollection(areas, facecolors=faces, lw=0), autolim=False)
    if best in colours:
        axis.plot(middles, tops[1], color=INK, lw=1.3)
    length = actions.shape[1]
    axis.set(xlim=(0, length), ylim=(0, 1), xticks=sorted({0, length // 2, length}), yticks=(0, 0.5, 1))


def _shown_agents(result: Comparison) -> list[str]:
    """Return the agents whose choices change, the best by mean reward where they are many; of all where none does."""
    learners = [name for name in result.agents if any(map(_changes, result.logs[name].values()))] or result.agents
    ranked = sorted(learners, key=lambda name: -(interval(result, name, "reward")["mean"] or -np.inf))
    return [name for name in learners if name in ranked[:MAX_AGENTS]]


def _changes(log: SessionLog) -> bool:
    """Return whether some LLM's share in the last quarter of the sessions is clearly another than in the first."""
    quarter = -(-log.actions.shape[1] // 4)
    llms = np.arange(log.final_probabilities.shape[1])[:, None, None]
    early, late = ((part == llms).mean(axis=(1, 2)) for part in (log.actions[:, :quarter], log.actions[:, -quarter:]))
    noise = np.sqrt(0.5 / (len(log.actions) * quarter))  # at most: of the difference of two shares of random choices
    return bool(np.abs(late - early).max() > 0.1 + 3 * noise)


def _colours(result: Comparison, agents: Sequence[str], contexts: Sequence[str]) -> dict[int, str]:
    """Return the colour of each LLM that gets one: those that are best somewhere, then the most asked."""
    n_llms = result.logs[agents[0]][contexts[0]].final_probabilities.shape[1]
    asked = np.zeros(n_llms)
    for agent in agents:
        for context in contexts:
            asked += np.bincount(result.logs[agent][context].actions.ravel(), minlength=n_llms)
    best = {_best_llm(result, context) for context in contexts}
    ranked = sorted(range(n_llms), key=lambda llm: (llm not in best, -asked[llm]))
    kept = sorted(ranked[: MAX_LLMS if n_llms <= MAX_LLMS else MAX_LLMS - 1])
    return {llm: PALETTE[number] for number, llm in enumerate(kept)}


def _best_llm(result: Comparison, context: str) -> int | None:
    return int(best_of_known(result.problem.expected_rewards(context))) if knows_regret(result) else None


def _heading(result: Comparison, context: str) -> str:
    best = _best_llm(result, context)
    known = "" if best is None else f"\nbest: {label(result.problem.task.llm_names[best], 16)}"
    return label(context, 20) + known


def _legend(figure: Any, result: Comparison, colours: dict[int, str]) -> None:
    from matplotlib.patches import Patch

    names = result.problem.task.llm_names
    patches = [Patch(color=colour, label=label(names[llm])) for llm, colour in colours.items()]
    if len(colours) < len(names):
        patches.append(Patch(color=OTHERS, label=f"{len(names) - len(colours)} other LLMs"))
    legend_below(figure, patches)


def _caption(result: Comparison, agents: Sequence[str]) -> str:
    size = max(binned(log.rewards)[2] for log in result.logs[agents[0]].values())
    parts = ["Height of a colour: the share of sessions that ask that LLM."]
    if knows_regret(result):
        parts.append("The context's best LLM lies at the bottom, under a black line: the higher, the better.")
    if size > 1:
        parts.append(f"Smoothed: each point averages {size} consecutive queries.")
    contexts = list(result.logs[agents[0]])
    if len(agents) < len(result.agents):
        left_out = listed([name for name in result.agents if name not in agents])
        parts.append(f"Left out: {left_out}; shown: the best {len(agents)} whose choices change.")
    if len(contexts) > MAX_CONTEXTS:
        parts.append(f"Contexts left out: {listed(contexts[MAX_CONTEXTS:])}.")
    return " ".join(parts)
