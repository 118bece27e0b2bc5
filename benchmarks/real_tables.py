"""The tables that benchmarks of agents run on: where each lies, and under which rewards it is judged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llm_routing_env.rewards.forms import FORMS
from llm_routing_env.tables.shipped import named_tables

# Where a table records no cost or no latency, it weighs 0, and then the two forms of the reward are one.
WEIGHTS = {"llmrouter9": (1.0, 0.0, 0.0), "production3": (1.0, 0.5, 0.0)}


def where(table: str, data: Path) -> str:
    """Return a table's name, or the path of one that has no name here: `data / NAME.parquet`."""
    return table if table in named_tables() else str(data / f"{table}.parquet")


def rewards(table: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each form of the reward, with the options of an environment that has it."""
    if table in WEIGHTS:
        yield "additive", {"reward": "additive", "weights": WEIGHTS[table]}
    else:
        yield from ((form, {"reward": form}) for form in FORMS)
