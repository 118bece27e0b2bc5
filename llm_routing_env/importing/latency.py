"""Latencies for tables that record none, drawn from another table's recorded ones."""

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.whole import require_whole
from llm_routing_env.tables.table import OutcomeTable

Floats = NDArray[np.float64]


def match_llms(llms: list[str], cost_usd: Floats | None, source: OutcomeTable) -> dict[str, str]:
    """Return for each LLM the LLM of `source` whose latencies it gets.

    LLMs with the same name are matched. The others, in order of their mean cost, are spread over all LLMs of the source
    in order of theirs: the cheapest gets the cheapest's latencies, the dearest the dearest's.

    Args:
        llms: The LLMs that need latencies.
        cost_usd: Their costs, shape (queries, LLMs, repeats), NaN where a pair is missing; None where not recorded.
        source: A table with recorded latencies.

    Raises:
        ValueError: If names differ and a table records no cost to order by.
    """
    matches = {name: name for name in llms if name in source.llm_names}
    others = [name for name in llms if name not in matches]
    if not others:
        return matches
    theirs = source.llm_means(source.cost_usd)
    if cost_usd is None or np.isnan(theirs).any():
        lacks = "the imported file" if cost_usd is None else source.path
        raise ValueError(
            f"--latency-from {source.path}: expected the LLMs {', '.join(others)} in it, or costs in both tables to "
            f"match LLMs by; {lacks} records no cost."
        )
    mine = dict(zip(llms, np.nanmean(cost_usd, axis=(0, 2)), strict=True))
    ranked = [source.llm_names[llm] for llm in np.argsort(theirs, kind="stable")]
    positions = np.linspace(0, len(ranked) - 1, len(others)) if len(others) > 1 else [(len(ranked) - 1) / 2]
    return matches | {
        name: ranked[round(position)]
        for name, position in zip(sorted(others, key=lambda name: float(mine[name])), positions, strict=True)
    }


def draw_latency(
    shape: tuple[int, int, int], llms: list[str], matches: dict[str, str], source: OutcomeTable, seed: int
) -> Floats:
    """Return seconds of that shape (queries, LLMs, repeats), drawn with replacement from the matched LLM's calls.

    The draws do not depend on the query: what makes one query slow on every LLM is lost.
    """
    require_whole("seed", seed, 0)
    rng = np.random.default_rng(seed)
    drawn = np.empty(shape)
    for number, name in enumerate(llms):
        theirs = source.llm_names.index(matches[name])
        recorded = source.latency_s[:, theirs][source.present[:, theirs, None] & ~source.failed[:, theirs]]
        if not len(recorded) or np.isnan(recorded).any():
            raise ValueError(f"--latency-from {source.path}: LLM {matches[name]!r} has no recorded latencies.")
        drawn[:, number] = rng.choice(recorded, size=(shape[0], shape[2]))
    return drawn
