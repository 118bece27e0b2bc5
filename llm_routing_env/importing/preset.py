"""What columns are taken for, and where a kind of file keeps them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_routing_env.importing.joins import Join
from llm_routing_env.importing.scores import AS_IT_IS, Floats, ScoreScale
from llm_routing_env.tables.check import OPTIONAL_NUMBERS

# Each role's flag; "" where a column has it by its name alone.
FLAGS: Mapping[str, str] = {
    "query_id": "--query-column",
    "llm": "--llm-column",
    "accuracy": "--accuracy-column",
    "prompt": "--prompt-column",
    "references": "--reference-column",
    "response": "--response-column",
    "context": "--context-column",
    "split": "--split-column",
    "repeat": "--repeat-column",
    "error": "--error-column",
    "success": "--success-column",
    "cost_usd": "--cost-column",
    "latency_s": "--latency-column",
    "prompt_tokens": "--prompt-tokens-column",
    "completion_tokens": "--completion-tokens-column",
    "messages": "",
    "finish_reason": "",
    **dict.fromkeys(OPTIONAL_NUMBERS, ""),
}
NEEDED = ("query_id", "llm", "accuracy", "prompt", "context")
LLM = "{llm}"
Score = Callable[[Sequence[str], Sequence[tuple[str, ...]]], Floats]


@dataclass(frozen=True)
class Preset:
    """A kind of file.

    Attributes:
        name: Of the command.
        help: What the command says of it, with an example.
        columns: By role, the names that its column may have, of which the first that a file has is taken; a name with
            `LLM` in it is of a column of each LLM's own.
        patterns: Which files of a folder are meant.
        about: What a file's path says of all its rows: texts by role.
        joins: Other files that lie beside each file.
        shape: What is done to each object of JSON.
        scale: What scores are worth.
        units: Of latencies and costs, by role, where they are not ours.
        has_ids_per_context: Whether two contexts may have the same ids.
        where: Only rows whose column is this text are meant, by column.
        same: Columns that say on which scale the scores are; more than one text in them is a remark of the table.
        context_of_id: What a query's id says of its context.
        clean: What is done to prompts and responses.
    """

    name: str
    help: str
    columns: Mapping[str, Sequence[str]]
    patterns: Sequence[str] = ("*",)
    about: Callable[[Path], Mapping[str, str]] = lambda path: {}
    joins: Sequence[Join] = ()
    shape: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    scale: ScoreScale = AS_IT_IS
    units: Mapping[str, str] = field(default_factory=dict)
    has_ids_per_context: bool = False
    where: Mapping[str, str] = field(default_factory=dict)
    same: Sequence[str] = ()
    context_of_id: Callable[[str], str] | None = None
    clean: Callable[[str], str] | None = None


@dataclass(frozen=True)
class Reading:
    """How cells are understood.

    Attributes:
        names: Columns by role, where they are not what the preset says; "-" for none.
        scale: What scores are worth.
        units: Of "latency_s" and "cost_usd", where said.
        where: Only rows whose column is this text are read, by column.
        excluded: LLMs to leave out.
        keep: "first" or "last" of several rows of a query, LLM and repeat; None: there may be one only.
        llms: The LLMs that have columns of their own; (): found by their names.
        has_ids_per_context: Whether two contexts may have the same ids.
        missing_cost_usd: What a call costs whose cost is empty; None: its cost is not known.
        score: Scores responses against references, where nobody did.
        on_progress: Is told how much is read, from 0 to 1.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    scale: ScoreScale = AS_IT_IS
    units: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    excluded: Sequence[str] = ()
    keep: str | None = None
    llms: Sequence[str] = ()
    has_ids_per_context: bool = False
    missing_cost_usd: float | None = None
    score: Score | None = None
    on_progress: Callable[[float], object] = lambda share: None
