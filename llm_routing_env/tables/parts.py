"""The files of an outcome table: one, or a folder of parts, each of which has some of the rows."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from llm_routing_env.tables.check import OPTIONAL_NUMBERS, OPTIONAL_TEXT, TOKENS, check_schema, read_metadata
from llm_routing_env.tables.file import TableFile

EMBEDDINGS_SUFFIX = ".embeddings.parquet"  # of what may lie beside a table
_MAY_LACK = (*OPTIONAL_TEXT, *OPTIONAL_NUMBERS, *TOKENS)
# What says of which LLMs the outcomes are, and what their numbers mean.
_AGREED = ("llms", "pool", "prices", "weights_sha256", "concurrency", "scorer", "latency", "load_curve")


def part_paths(path: Path) -> list[Path]:
    """Return the files of the table at a path: it, or by name the `*.parquet` in a folder that are a table's."""
    if not os.path.isdir(path):
        return [path] if os.path.isfile(path) else []
    names = sorted(name for name in os.listdir(path) if name.endswith(".parquet") and not name.startswith("."))
    return [path / name for name in names if not name.endswith(EMBEDDINGS_SUFFIX) and os.path.isfile(path / name)]


def open_parts(paths: Sequence[Path]) -> list[TableFile]:
    """Open the files of one table, so that each has the same columns; reads their footers.

    A part may lack columns that a table may lack, which are empty there. Metadata is what all say: remarks (`notes`)
    of any of them are kept, and what they say differently is left out, unless numbers mean something else by it.

    Raises:
        ValueError: Names the part that cannot be read, or differs from the first one.
    """
    files = [TableFile(path, len(paths)) for path in paths]
    if len(files) == 1:
        return files
    held = frozenset.intersection(*(file.held for file in files))
    for file in files:
        check_schema(file.schema, max(1, len(file)), file.name)  # a part may be empty
        file.hold_as_codes(held)
    names = dict.fromkeys(name for file in files for name in file.schema.names)
    document = json.dumps(_common_metadata(files))
    schema = pa.schema([(name, _common_type(name, files)) for name in names], {"pickllm": document})
    for file in files:
        file.fit(schema)
    return [file for file in files if len(file)] or files[:1]


def files_sha256(paths: Sequence[Path]) -> str:
    """Return the hash of a table's file; of several, the hash of their hashes, written in hexadecimal, in order."""
    digests = []
    for path in paths:
        with open(path, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _common_type(name: str, files: Sequence[TableFile]) -> pa.DataType:
    """Return the type of a column: a part in which it has none has nothing in it."""
    whose, kind = "", pa.null()
    for file in files:
        if name not in file.schema.names and name not in _MAY_LACK:
            other = next(other.name for other in files if name in other.schema.names)
            raise ValueError(
                f"{file.name}: expected the columns of the other parts, but it has no {name!r}, as {other} has; a part "
                f"may lack {', '.join(_MAY_LACK)} only."
            )
        found = file.schema.field(name).type if name in file.schema.names else pa.null()
        if pa.types.is_null(kind):
            whose, kind = file.name, found
        elif found != kind and not pa.types.is_null(found):
            raise ValueError(
                f"{file.name}: column {name!r} is {found}, in {whose} {kind}; write the parts of a table with the same "
                "types."
            )
    return kind


def _common_metadata(files: Sequence[TableFile]) -> dict[str, Any]:
    first, *others = said = [read_metadata(file.schema, file.name) for file in files]
    for file, its in zip(files, said, strict=True):
        for key in _AGREED:
            if its.get(key) != first.get(key):
                raise ValueError(
                    f"{file.name}: its metadata says something else of {key!r} than that of {files[0].name}; the parts "
                    f"of a table agree in {', '.join(_AGREED)}."
                )
    common = {key: value for key, value in first.items() if all(key in its and its[key] == value for its in others)}
    notes = list(dict.fromkeys(note for its in said for note in its.get("notes", ())))
    return common | ({"notes": notes} if notes else {})
