"""What an outcome table says of itself, in the words of its Croissant document; what it does not say is left out."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from llm_routing_env.tables.notes import listed
from llm_routing_env.tables.table import OutcomeTable

_COLUMNS = {
    "query_id": "The query's id.",
    "context": "The query's topic.",
    "split": "Whether routers may be fitted on the query (train) or are judged on it (test).",
    "prompt": "What was asked; of a chat, its last user message.",
    "messages": "The whole chat as JSON, where there is more than the prompt.",
    "references": "Right answers, the canonical one first.",
    "llm": "The LLM's name.",
    "repeat": "Which repeat of the query on the LLM, from 0.",
    "response": "What the LLM answered; empty when the call failed.",
    "error": "Why the call failed; null where it did not.",
    "finish_reason": "Why the LLM stopped, as it says; length: cut at the most tokens that were allowed.",
    "prompt_tokens": "Tokens read.",
    "completion_tokens": "Tokens written.",
    "cached_tokens": "Those of the prompt tokens that were read from the endpoint's cache.",
    "reasoning_tokens": "Those of the completion tokens that were thoughts.",
    "cost_usd": "Cost of the call in US dollars.",
    "latency_s": "Time of the call from end to end, in seconds.",
    "ttft_s": "Time to the first token, in seconds.",
    "time_to_first_token_s": "Time to the first token, in seconds.",
    "wait_s": "Time before the last request was sent, in seconds; not in latency_s.",
    "n_attempts": "Requests sent for the call, retries included.",
}
_SCORERS = {
    "final_answer": "1 where a reference is the final answer of the response, else 0",
    "exact_match": "1 where the response is a reference, up to case, white space and punctuation at its ends, else 0",
    "token_f1": "F1 of the words shared with the nearest reference",
    "cosine": "cosine similarity of sentence embeddings with the nearest reference, negative values as 0",
}


def description(table: OutcomeTable) -> str:
    """Return what the table is: its size, LLMs, contexts and splits."""
    n_train = int(table.is_train.sum())
    return (
        f"An outcome table for LLM routing: what {_counted(table.n_llms, 'LLM')} ({listed(table.llm_names)}) gave for "
        f"{_counted(table.n_queries, 'query', 'queries')} in {_counted(len(table.contexts), 'context')} "
        f"({listed(table.contexts)}), {_counted(table.n_repeats, 'repeat')} each. {n_train} queries are of the train "
        f"split, {table.n_queries - n_train} of the test split. Full information, not a log of choices: every LLM's "
        f"outcome is there, {'for every query' if table.is_complete else 'but for the pairs that are missing'}. "
        f"Accuracy is accuracy_{table.scorer} unless another score is chosen."
    )


def derived_fields(table: OutcomeTable) -> dict[str, list[str]]:
    """Return the fields that the table's metadata and notes fill, by name in the document."""
    by_origin = _of_recording(table) if "recorded_at" in table.metadata else _of_import(table)
    return {**by_origin, "rai:dataLimitations": list(table.notes)}


def column_description(table: OutcomeTable, column: str) -> str | None:
    """Return what a column holds, with its unit; None for one that is not ours."""
    if column.startswith("accuracy_"):
        return _accuracy(table, column.removeprefix("accuracy_"))
    if column.startswith("measure_"):
        return f"The measure {column.removeprefix('measure_')}."
    return _measured(table, column) if column in ("cost_usd", "latency_s") else _COLUMNS.get(column)


def _measured(table: OutcomeTable, column: str) -> str:
    if np.isnan(getattr(table, column)).all():
        return f"{_COLUMNS[column]} Not recorded: null in every row."
    if column == "latency_s" and "latency" in table.metadata:
        return f"{_COLUMNS[column]} Not measured: {table.metadata['latency']}."
    if "recorded_at" not in table.metadata:
        return f"{_COLUMNS[column]} As whoever recorded it says."
    return _COLUMNS[column]


def _of_recording(table: OutcomeTable) -> dict[str, list[str]]:
    facts = table.metadata
    own = "; ".join(f"{scorer}, {_SCORERS[scorer]}" for scorer in table.scorers if scorer in _SCORERS)
    return {
        "rai:dataCollection": [_recorded(table, facts["recorded_at"])],
        "rai:dataCollectionType": ["Experiments"],
        "rai:dataCollectionTimeframe": [facts["recorded_at"]],
        "rai:dataPreprocessingProtocol": _prices(_mapping(facts, "prices")),
        "rai:dataAnnotationProtocol": [f"Nobody annotated; a program scored the responses: {own}."] if own else [],
    }


def _recorded(table: OutcomeTable, ended: str) -> str:
    facts = table.metadata
    at_once, pool = facts.get("concurrency"), _after(" of the pool", _mapping(facts, "pool").get("name"))
    clauses = [
        f"PickLLM's recorder asked the LLMs{pool} each query {_counted(table.n_repeats, 'time')}",
        f"at most {_counted(at_once, 'request')} in flight" if isinstance(at_once, int) else "",
        _after("the machine that asked:", _joined(facts, "hardware")),
        _after("installed on it:", _joined(facts, "versions")),
        f"the recording ended at {ended}",
    ]
    return "; ".join(filter(None, clauses)) + "."


def _of_import(table: OutcomeTable) -> dict[str, list[str]]:
    source = _mapping(table.metadata, "source")
    if not source:
        return {}
    return {
        "rai:dataCollection": [
            f"`pickllm import` read the outcomes from the file {source.get('file')} (sha256 {source.get('sha256')}), "
            "which somebody else recorded."
        ],
        "rai:dataCollectionType": ["Secondary Data Analysis"],
    }


def _prices(prices: Mapping[str, Any]) -> list[str]:
    per_token = [
        f"{llm} {price.get('input_price_usd_per_mtok')} and {price.get('output_price_usd_per_mtok')}"
        for llm, price in prices.items()
        if isinstance(price, Mapping) and not price.get("hardware_usd_per_hour")
    ]
    if not per_token:
        return []
    return [
        "cost_usd is tokens as the server counted them times prices that the pool declares, in US dollars per million "
        f"tokens read and written: {listed(per_token, '; ')}."
    ]


def _accuracy(table: OutcomeTable, scorer: str) -> str:
    meaning = _SCORERS.get(scorer) if "recorded_at" in table.metadata else None  # others may call theirs the same
    own = " The table's own score." if scorer == table.scorer else ""
    return f"Score in [0, 1]{_after(':', meaning)}.{own}"


def _mapping(facts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = facts.get(key)  # a table of somebody else's may hold anything there
    return found if isinstance(found, Mapping) else {}


def _joined(facts: Mapping[str, Any], key: str) -> str | None:
    return ", ".join(f"{name} {value}" for name, value in _mapping(facts, key).items()) or None


def _after(before: str, value: Any) -> str:
    return "" if value is None else f"{before} {value}"


def _counted(n: int, one: str, several: str = "") -> str:
    return f"{n} {one if n == 1 else several or one + 's'}"
