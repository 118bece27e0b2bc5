"""What a reader of a table's numbers must be told."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from llm_routing_env.tables.table import OutcomeTable

LISTED = 10
DEAD = 0.9  # an LLM that fails more often than this was hardly measured


def table_notes(table: "OutcomeTable") -> tuple[str, ...]:
    """Return the notes of a table: what is simulated or missing, what else is amiss, and remarks kept."""
    simulated = [f"The latency is {table.metadata['latency']}."] if "latency" in table.metadata else []
    return (
        *simulated,
        *_missing(table),
        *_missing_pairs(table),
        *_shared_prompts(table),
        *_dead_llms(table),
        *table.metadata.get("notes", ()),
    )


def not_judged(table: "OutcomeTable", split: str) -> str:
    """Return the line that names the contexts without a query in a split; "" if there are none."""
    names = table.contexts_without(split)
    if not names:
        return ""
    listed = ", ".join(map(repr, names[:LISTED])) + ", ..." * (len(names) > LISTED)
    return f"{len(names)} of {len(table.contexts)} contexts ({listed}) not judged: no query in the {split} split."


def _missing(table: "OutcomeTable") -> Iterator[str]:
    for name, values in (("cost", table.cost_usd), ("latency", table.latency_s)):
        if np.isnan(values).all():
            yield f"The table records no {name}."


def _missing_pairs(table: "OutcomeTable") -> Iterator[str]:
    shares = sorted(zip((~table.present).mean(axis=0).tolist(), table.llm_names, strict=True), key=lambda s: -s[0])
    lacking = [f"{llm} {share:.1%}" for share, llm in shares if share]
    if lacking:
        listed = ", ".join(lacking[:LISTED]) + ", ..." * (len(lacking) > LISTED)
        yield (
            f"{1 - table.present.mean():.1%} of the pairs of query and LLM are missing; of the queries of each LLM: "
            f"{listed}. Means over what is left are biased, unless it is missing at random."
        )


def _shared_prompts(table: "OutcomeTable") -> Iterator[str]:
    n_shared = table.queries.n_prompts_in_both_splits
    if n_shared:
        yield f"Prompts in both splits: {n_shared}. What is fitted on train has seen them when it is judged on test."


def _dead_llms(table: "OutcomeTable") -> Iterator[str]:
    for llm, share in table.failed_share.items():
        if share < DEAD:
            continue
        failed = table.failed[:, table.llm_names.index(llm)]
        n_calls = table.present[:, table.llm_names.index(llm)].sum() * table.n_repeats
        query, repeat = np.argwhere(failed)[0]
        error = table.text("error", int(query), table.llm_names.index(llm), int(repeat))
        yield f"{failed.sum()} of the {n_calls} calls of {llm!r} failed, the first with {error!r}."
