"""Imports somebody's file as the command does, into a table beside it."""

from pathlib import Path
from typing import Any

from llm_routing_env.importing import Imported, ImportOptions, Reading, Source, read_rows, write_table
from llm_routing_env.importing.presets import PRESETS
from llm_routing_env.importing.scores import ScoreScale

SOURCE = ("encoding", "separator", "patterns", "joins")
WRITING = ("scorer", "drop_incomplete", "latency_from", "seed", "notes")


def imported(
    path: Path | list[Path],
    names: dict[str, str] | None = None,
    *,
    preset: str = "long",
    about: dict[str, str] | None = None,
    out: Path | None = None,
    **options: Any,
) -> Imported:
    """Return the table of some files, written beside the first unless `out` is given, and what became of them.

    Args:
        path: The files.
        names: Columns by role.
        preset: What kind of files.
        about: What is said of every row, by role.
        out: Where the table is written.
        options: Of `Source`, `Reading` and `ImportOptions`; `score_range` for a scale without words.
    """
    paths = path if isinstance(path, list) else [path]
    kind = PRESETS[preset]
    of_source = {name: options.pop(name) for name in SOURCE if name in options}
    writing = {name: options.pop(name) for name in WRITING if name in options}
    if "score_range" in options:
        options["scale"] = ScoreScale({}, *options.pop("score_range"))
    of_source.setdefault("patterns", kind.patterns)
    of_source.setdefault("joins", kind.joins)
    of_source.setdefault("shape", kind.shape)
    source = Source(paths, about=lambda where: {**kind.about(where), **(about or {})}, **of_source)
    reading = Reading(
        **{
            "names": names or {},
            "scale": kind.scale,
            "where": kind.where,
            "has_ids_per_context": kind.has_ids_per_context,
            **options,
        }
    )
    rows = read_rows(source, kind, reading)
    return write_table(rows, source.files, out or paths[0].parent / "imported.parquet", ImportOptions(**writing))
