"""The tables that are known by name: those that come with the package, and those made of what another one ships."""

from importlib import import_module
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
FILE = "outcomes.parquet"  # in a folder that is called as its table is
# The modules whose `table_path` makes a table of an installed package's data, and returns its file. They are named, and
# imported when their table is asked for: they belong to `importing`, which may import this folder but not be imported.
MADE = {"production3": "llm_routing_env.importing.production"}


def shipped_tables() -> list[str]:
    """Return the names of the tables that come with the package."""
    return sorted(path.parent.name for path in DATA.glob(f"*/{FILE}"))


def named_tables() -> list[str]:
    """Return the names of all tables that have one."""
    return [*shipped_tables(), *MADE]


def named_file(name: str) -> Path | None:
    """Return the file of a table that is known by name, None for other texts.

    Raises:
        ImportError: What it is made of is not installed.
        ValueError: What is installed is not what it is made of.
    """
    if name not in MADE:
        return DATA / name / FILE if name in shipped_tables() else None
    path: Path = import_module(MADE[name]).table_path()
    return path
