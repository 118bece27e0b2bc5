"""Where a benchmark's result goes, and what it says about itself."""

import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env import __version__
from llm_routing_env.tables.table import OutcomeTable

FOLDER = Path(__file__).parent / "results"


def file_of(name: str, table: OutcomeTable) -> Path:
    """Return where a benchmark's result on a table lies."""
    label = table.path.parent.name if table.path and table.path.stem == "outcomes" else table.path.stem
    return FOLDER / f"{name}_{label}.json"


def save(name: str, table: OutcomeTable, result: Any) -> Path:
    """Write a result as JSON, with the command, versions and table it came from."""
    path = file_of(name, table)
    write(path, {"table_sha256": table.sha256}, result)
    return path


def rounded(value: Any, form: str = ".6g") -> Any:
    """Return a JSON-plain value with no more digits than mean something: the sdist holds all results.

    Args:
        value: Whatever holds the numbers.
        form: Of each of them.
    """
    if isinstance(value, dict):
        return {name: rounded(inner, form) for name, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner, form) for inner in value]
    return float(format(value, form)) if isinstance(value, float) else value


def of_all_contexts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison's document without single contexts, calls and pairs of agents, which no page shows."""
    kept = {name: value for name, value in document.items() if name != "pairs"}
    rows = [row for row in document["agents"] if row["context"] == "all"]
    kept["agents"] = [{name: value for name, value in row.items() if name != "calls"} for row in rows]
    kept["references"] = {name: of_all["all"] for name, of_all in document["references"].items()}
    return kept


def write(path: Path, source: Mapping[str, Any], result: Any) -> None:
    """Write a result as JSON, with the command, versions and what else says where it came from."""
    script = Path(sys.argv[0]).resolve()
    folder = script.parent.name if script.parent.parent == Path(__file__).parent else ""
    document = {
        "command": " ".join(
            ["python", (Path("benchmarks") / folder / script.name).as_posix(), *(Path(a).name for a in sys.argv[1:])]
        ),
        "versions": {"llm-routing-env": __version__, "numpy": np.__version__, "python": platform.python_version()},
        **source,
        "result": result,
    }
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
