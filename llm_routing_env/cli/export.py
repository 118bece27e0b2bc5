"""`pickllm export`: what a journal holds, for other programs, or for `pickllm import`."""

from pathlib import Path
from typing import Annotated

import typer

from llm_routing_env.recording.export import export_journal
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.terminal import Terminal


def export(
    journal: Annotated[Path, typer.Argument(help="Journal of a recording or of live sessions, of any version.")],
    out: Annotated[Path, typer.Argument(help="File to write: .csv or .jsonl.")],
    queries: Annotated[
        Path | None, typer.Option(help="The queries that were asked: with them `import long` can make a table.")
    ] = None,
) -> None:
    """Write the outcomes that a journal holds as rows; nothing in it is changed.

    Example: pickllm export old.parquet.journal.jsonl outcomes.jsonl --queries queries.jsonl
    """
    n_rows, n_damaged = export_journal(journal, out, None if queries is None else QuerySet.read(queries))
    damaged = f"; {n_damaged} damaged ones were left out" if n_damaged else ""
    console = Terminal()
    console.print(f"wrote {out}: {n_rows} outcomes{damaged}", markup=False, highlight=False, soft_wrap=True)
