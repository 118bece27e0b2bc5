"""What a reader of a table's numbers must be told."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from llm_routing_env.tables.queries import BY_PROMPT

if TYPE_CHECKING:
    from llm_routing_env.tables.table import OutcomeTable

LISTED = 10
SHOWN = 200  # characters of an error
DEAD = 0.9  # an LLM that fails more often than this was hardly measured


def table_notes(table: "OutcomeTable") -> tuple[str, ...]:
    """Return the notes of a table: what is simulated or missing, what else is amiss, and remarks kept."""
    simulated = [f"The latency is {table.metadata['latency']}."] if "latency" in table.metadata else []
    return (
        *simulated,
        *_missing(table),
        *_missing_pairs(table),
        *_shared_prompts(table),
        *_without_references(table),
        *_cut(table),
        *_failed(table),
        *table.metadata.get("notes", ()),
    )


def listed(items: Sequence[str], separator: str = ", ") -> str:
    """Return the first items as one text, which says where there are more."""
    return separator.join([*items[:LISTED], *(["..."] if len(items) > LISTED else [])])


def not_judged(table: "OutcomeTable", split: str) -> str:
    """Return the line that names the contexts without a query in a split; "" if there are none."""
    names = table.contexts_without(split)
    if not names:
        return ""
    named = listed([repr(name) for name in names])
    return f"{len(names)} of {len(table.contexts)} contexts ({named}) not judged: no query in the {split} split."


def _missing(table: "OutcomeTable") -> Iterator[str]:
    for name, values in (("cost", table.cost_usd), ("latency", table.latency_s)):
        if np.isnan(values).all():
            yield f"The table records no {name}."


def _missing_pairs(table: "OutcomeTable") -> Iterator[str]:
    shares = sorted(zip((~table.present).mean(axis=0).tolist(), table.llm_names, strict=True), key=lambda s: -s[0])
    lacking = [f"{llm} {share:.1%}" for share, llm in shares if share]
    if lacking:
        yield (
            f"{1 - table.present.mean():.1%} of the pairs of query and LLM are missing; of the queries of each LLM: "
            f"{listed(lacking)}. Means over what is left are biased, unless it is missing at random."
        )


def _shared_prompts(table: "OutcomeTable") -> Iterator[str]:
    if table.metadata.get("split") == BY_PROMPT:
        return  # no prompt can be in both, and looking takes seconds
    n_shared = table.queries.n_prompts_in_both_splits
    if n_shared:
        yield f"Prompts in both splits: {n_shared}. What is fitted on train has seen them when it is judged on test."


def _without_references(table: "OutcomeTable") -> Iterator[str]:
    if "imported_as" in table.metadata and "score_with" not in table.metadata.get("imported_with", {}):
        return  # somebody else scored, and knew the answers
    lacking = table.n_references == 0
    accuracy = table.accuracies.get(table.scorer)
    # Scores that came with the table may be of somebody who needed no references.
    if accuracy is not None and lacking.any() and not np.nanmax(accuracy[lacking]):
        yield f"Queries without a reference: {lacking.sum()}. Their accuracy is 0, whatever was answered."


def _cut(table: "OutcomeTable") -> Iterator[str]:
    if table.cut is None or not (cut := table.cut & ~table.failed).any():  # a call may fail after it was cut
        return
    n_answers = np.where(table.present[..., None], ~table.failed, False).sum(axis=(0, 2))
    shares = cut.sum(axis=(0, 2)) / np.maximum(n_answers, 1)
    most = [llm for llm in np.argsort(-shares, kind="stable") if shares[llm]]
    each = listed([f"{shares[llm]:.1%} of the answers of {table.llm_names[llm]!r}" for llm in most])
    yield f"{each} were cut at max_tokens (finish_reason length): a final answer that would have followed is lost."


def _failed(table: "OutcomeTable") -> Iterator[str]:
    shares = list(table.failed_share.values())
    most = [llm for llm in np.argsort([-share for share in shares], kind="stable") if shares[llm]]
    if most:
        yield listed([_failures(table, int(llm)) for llm in most], "; ") + "."


def _failures(table: "OutcomeTable", llm: int) -> str:
    failed = table.failed[:, llm]
    n_calls = table.present[:, llm].sum() * table.n_repeats
    query, repeat = divmod(int(np.argmax(failed)), table.n_repeats)
    error = table.text("error", query, llm, repeat) or ""
    shown = error if len(error) <= SHOWN else error[:SHOWN] + "…"
    return f"{failed.sum()} of the {n_calls} calls of {table.llm_names[llm]!r} failed, the first with {shown!r}"
