"""Queries: what a user asks, in which context, and the references an answer is scored against."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.tables.chat import as_list, beyond_prompt, is_text, last_question, read_messages, to_json

SPLITS = ("train", "test")
BY_PROMPT = "by a hash of the prompt"  # what a table says whose queries `split_of` has split, all of them
QUERY_COLUMNS = ("query_id", "context", "split", "prompt", "references")
# Names that mean something else where a context is asked for or shown.
RESERVED_CONTEXTS = {"mixed": "a session of all contexts", "all": "the mean over all contexts"}
NEXT = "next"  # in scenarios: the context after a session's own; after the last one, and after "mixed", the first
_BOM = b"\xef\xbb\xbf"  # what some editors begin a UTF-8 file with
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Query:
    """One question to an LLM.

    Attributes:
        query_id: Unique within its query set.
        context: The topic it belongs to.
        split: "train" (what pretrained routers may fit on) or "test".
        prompt: The text sent to the LLM; of a chat, its last user message.
        references: Right answers, the canonical one first; may be none, and scorers then give 0.
        messages: The whole chat where there is more than the prompt: pairs of role and content.
    """

    query_id: str
    context: str
    split: str
    prompt: str
    references: tuple[str, ...]
    messages: tuple[tuple[str, str], ...] = ()

    def chat(self) -> list[dict[str, str]]:
        """Return what is sent to an LLM: OpenAI's chat messages."""
        return as_list(self.messages or (("user", self.prompt),))


def split_of(prompt: str, *, train_share: float = 0.4) -> str:
    """Return "train" or "test" by a hash of the prompt: stable across machines, orders and additions.

    Equal prompts, up to case and white space, are of one split: else a router could know answers it is judged on.
    """
    fraction = int.from_bytes(hashlib.sha256(_normal(prompt).encode()).digest()[:8]) / 2**64
    return "train" if fraction < train_share else "test"


def is_name(text: str) -> bool:
    """Return whether a text may be shown as a name: it has no characters that steer a terminal."""
    return not _CONTROL.search(text)


def context_fault(name: str) -> str:
    """Return why a context cannot be called `name`; "" if it can."""
    meaning = RESERVED_CONTEXTS.get(name)
    return f"rename the context: {name!r} stands for {meaning} here" if meaning else ""


class QuerySet(Sequence[Query]):
    """An ordered set of queries with unique ids."""

    def __init__(self, queries: Iterable[Query]) -> None:
        self._queries: Sequence[Query] = tuple(queries)
        seen: set[str] = set()
        for number, query in enumerate(self._queries, start=1):
            if query.query_id in seen:
                raise ValueError(f"Query {number}: query_id {query.query_id!r} occurs twice; ids must be unique.")
            if query.split not in SPLITS:
                raise ValueError(f"Query {query.query_id!r}: split is {query.split!r}, expected one of {SPLITS}.")
            if query.messages and last_question(query.messages) != query.prompt:
                raise ValueError(f"Query {query.query_id!r}: its prompt must be the last user message.")
            seen.add(query.query_id)

    @classmethod
    def of_table(cls, queries: Sequence[Query]) -> "QuerySet":
        """Return the queries of a table, which has checked them; each is made when it is asked for."""
        made = cls(())
        made._queries = queries
        return made

    @overload
    def __getitem__(self, index: int) -> Query: ...
    @overload
    def __getitem__(self, index: slice) -> "QuerySet": ...
    def __getitem__(self, index: int | slice) -> "Query | QuerySet":
        if isinstance(index, slice):
            return QuerySet(self._queries[place] for place in range(*index.indices(len(self))))
        return self._queries[index]

    def __len__(self) -> int:
        return len(self._queries)

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries)

    @property
    def contexts(self) -> tuple[str, ...]:
        """The contexts that occur, sorted."""
        return tuple(sorted({query.context for query in self._queries}))

    @cached_property
    def n_prompts_in_both_splits(self) -> int:
        """How many different prompts occur in train and in test."""
        prompts: dict[str, set[bytes]] = {split: set() for split in SPLITS}
        for query in self._queries:  # hashes: the texts themselves may not fit into memory
            normal = _normal(query.prompt).encode(errors="surrogatepass")
            prompts[query.split].add(hashlib.blake2b(normal, digest_size=16).digest())
        return len(set.intersection(*prompts.values()))

    @property
    def sha256(self) -> str:
        """Hash of every query's content, in order."""
        digest = hashlib.sha256()
        for query in self._queries:
            digest.update(_to_json(query).encode())
        return digest.hexdigest()

    @classmethod
    def read(cls, path: str | Path) -> "QuerySet":
        """Read JSON lines with the keys query_id, context, prompt, references and split.

        `prompt` is a text, or a chat as a list of messages: {"role": ..., "content": ...}. `references` may be missing
        or empty. `split` may be missing: it is then assigned by a hash of the prompt. Blank lines are skipped.

        Raises:
            ValueError: Names the file, the line and what was expected.
        """
        with open(path, "rb") as lines:
            numbered = enumerate(lines, start=1)
            whole = ((number, line.removeprefix(_BOM) if number == 1 else line) for number, line in numbered)
            return cls(_from_json(line, f"{path}, line {number}") for number, line in whole if line.strip())

    def write(self, path: str | Path) -> None:
        """Write the queries as JSON lines."""
        with replacing(path) as new, open(new, "w", encoding="utf-8") as lines:
            lines.writelines(_to_json(query) + "\n" for query in self._queries)


def query_columns(queries: Sequence[Query]) -> list[dict[str, Any]]:
    """Return what a table's rows say of each query, by column: `messages` too where some query is a chat."""
    cells = [{column: getattr(query, column) for column in QUERY_COLUMNS} for query in queries]
    if any(query.messages for query in queries):
        for query, cell in zip(queries, cells, strict=True):
            cell["messages"] = to_json(query.messages) if query.messages else None
    return cells


def _normal(prompt: str) -> str:
    return " ".join(prompt.casefold().split())


def _to_json(query: Query) -> str:
    record = asdict(query)
    messages = record.pop("messages")
    if messages:
        record["prompt"] = as_list(messages)
    return json.dumps(record, ensure_ascii=False)


def _from_json(line: bytes, where: str) -> Query:
    try:
        record = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        shown = line[:60].decode(errors="replace")
        raise ValueError(f"{where}: expected one JSON object per line, got {shown!r} ({error}).") from error
    if not isinstance(record, dict):
        raise ValueError(f"{where}: expected a JSON object, got {type(record).__name__}.")
    messages = _take_messages(record, where)
    for key in ("query_id", "context", "prompt", "split"):
        if key == "split" and key not in record:
            record[key] = split_of(record["prompt"])
        if not is_text(record.get(key)):
            expected = "a string or a list of messages" if key == "prompt" else "a string"
            raise ValueError(f"{where}: key {key!r} must be {expected}, got {record.get(key)!r}.")
    if not is_name(record["context"]):
        raise ValueError(f"{where}: key 'context' must have no control characters, got {record['context']!r}.")
    if fault := context_fault(record["context"]):
        raise ValueError(f"{where}: {fault}.")
    references = record.get("references")
    if references is not None and not (isinstance(references, list) and all(map(is_text, references))):
        raise ValueError(f"{where}: key 'references' must be a list of strings, got {references!r}.")
    return Query(
        record["query_id"], record["context"], record["split"], record["prompt"], tuple(references or ()), messages
    )


def _take_messages(record: dict[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    """Return the messages of a prompt that is a chat, and make its last user message the prompt."""
    if record.get("messages") is not None:  # else what comes before the question would be left out in silence
        raise ValueError(f"{where}: key 'messages' is not read: a list of messages is the 'prompt'.")
    if not isinstance(record.get("prompt"), list):
        return ()
    try:
        messages = read_messages(record["prompt"])
    except ValueError as fault:
        raise ValueError(f"{where}: key 'prompt': {fault}.") from None
    record["prompt"] = last_question(messages)
    return beyond_prompt(messages)
