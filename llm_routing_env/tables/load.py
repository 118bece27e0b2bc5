"""Tables by name or path, each read once per process and file version."""

from functools import lru_cache
from pathlib import Path

from llm_routing_env.tables.parts import part_paths
from llm_routing_env.tables.table import OutcomeTable


def load_table(table: str | Path | OutcomeTable) -> OutcomeTable:
    """Read an outcome table, unless it is one; its arrays are read-only, since environments share it."""
    if isinstance(table, OutcomeTable):
        return table
    return _load_table(str(table), tuple((path, path.stat().st_mtime_ns) for path in part_paths(Path(table))))


@lru_cache(maxsize=4)
def _load_table(name_or_path: str, files: tuple[tuple[Path, int], ...]) -> OutcomeTable:
    return OutcomeTable.read(name_or_path)
