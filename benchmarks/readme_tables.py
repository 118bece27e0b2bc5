"""What the README's parts share: Markdown tables, and the committed results."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def read(name: str, table: str = "nano") -> Any:
    """Return the result in a benchmark's file."""
    return json.loads((RESULTS / f"{name}_{table}.json").read_text(encoding="utf-8"))
