"""Contexts in which no LLM is ever right: mostly a scorer that cannot read, or references of another form."""

from collections.abc import Sequence
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.rewards.answers import not_parsed
from llm_routing_env.rewards.scorers import SCORERS
from llm_routing_env.tables.notes import listed
from llm_routing_env.tables.table import OutcomeTable

MOST_READ = 200  # answers of a context, to find out why
_SHOWN = 40


def never_right(
    table: OutcomeTable, scorer: str, accuracy: NDArray[np.float64], queries: dict[str, NDArray[np.int64]]
) -> list[str]:
    """Return a line for each likely reason, naming the contexts in which every accuracy is 0.

    Args:
        table: Whose responses are looked at.
        scorer: What gave the accuracies.
        accuracy: Shape (queries, LLMs, repeats), NaN where a pair is missing.
        queries: The queries that count, by context.
    """
    by_reason: dict[str, tuple[list[str], str]] = {}
    for context, chosen in queries.items():
        if not np.nan_to_num(accuracy[chosen]).any():
            reason, example = _reason(table, scorer, chosen)
            by_reason.setdefault(reason, ([], example))[0].append(context)
    return [
        f"No LLM is ever right in {listed([repr(context) for context in contexts])}: {reason}{example}."
        for reason, (contexts, example) in by_reason.items()
    ]


def _reason(table: OutcomeTable, scorer: str, queries: NDArray[np.int64]) -> tuple[str, str]:
    """Return the likely reason, and an example of it."""
    if scorer.partition(":")[0] not in SCORERS:
        return "so say the scores that came with the table", ""
    if not table.n_references[queries].any():
        return "its queries have no references", ""
    answers = _answers(table, queries)
    if not answers:
        return "every call failed, or came back empty", ""
    query, response = answers[0]
    if scorer == "final_answer" and not_parsed([text for _, text in answers]).all():
        return "final_answer finds no answer in the responses", f", such as {_shown(response)}"
    reference = _shown(table.queries[query].references[0])
    example = f", such as {reference} and {_shown(response)}"
    return "the references may have another form than the responses", example


def _answers(table: OutcomeTable, queries: Sequence[int] | NDArray[np.int64]) -> list[tuple[int, str]]:
    """Return the first responses to queries with references, each with its query."""
    asked = (int(query) for query in queries if table.n_references[query])
    cells = product(asked, range(table.n_llms), range(table.n_repeats))
    found = ((cell[0], table.text("response", *cell)) for cell in cells if not table.failed[cell])
    return list(islice(((query, text) for query, text in found if text), MOST_READ))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
