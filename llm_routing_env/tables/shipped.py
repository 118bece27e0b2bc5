"""The data that comes with the package."""

from pathlib import Path

DATA = Path(__file__).parents[1] / "data"


def shipped_tables() -> list[str]:
    """Return the names of the tables that come with the package."""
    return sorted(path.parent.name for path in DATA.glob("*/outcomes.parquet"))
