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
    done = export_journal(journal, out, None if queries is None else QuerySet.read(queries))
    left_out = [(done.n_unmatched, "of other queries"), (done.n_damaged, "damaged")]
    said = ", ".join(f"{n} {what}" for n, what in left_out if n)
    console = Terminal()
    line = f"wrote {out}: {done.n_rows} outcomes" + f"; left out: {said}" * bool(said)
    console.print(line, markup=False, highlight=False, soft_wrap=True)
