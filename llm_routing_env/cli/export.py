"""`pickllm export`: what others can read: a journal's outcomes, a table's metadata."""

import json
from pathlib import Path
from typing import Annotated

import typer

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.recording.export import export_journal
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.terminal import Terminal

app = typer.Typer(
    help="Write what other programs read: a journal's outcomes, a table's metadata.", no_args_is_help=True
)


@app.command("journal")
def journal(
    journal: Annotated[Path, typer.Argument(help="Journal of a recording or of live sessions, of any version.")],
    out: Annotated[Path, typer.Argument(help="File to write: .csv or .jsonl.")],
    queries: Annotated[
        Path | None, typer.Option(help="The queries that were asked: with them `import long` can make a table.")
    ] = None,
) -> None:
    """Write the outcomes that a journal holds as rows; nothing in it is changed.

    Example: pickllm export journal old.parquet.journal.jsonl outcomes.jsonl --queries queries.jsonl
    """
    done = export_journal(journal, out, None if queries is None else QuerySet.read(queries))
    left_out = [(done.n_unmatched, "of other queries"), (done.n_damaged, "damaged")]
    said = ", ".join(f"{n} {what}" for n, what in left_out if n)
    _say(f"wrote {out}: {done.n_rows} outcomes" + f"; left out: {said}" * bool(said))


@app.command("croissant")
def croissant(
    table: Annotated[str, typer.Argument(help="Shipped table's name, or the path of an outcome table.")],
    out: Annotated[Path | None, typer.Argument(help="JSON file to write, beside the table; default: print it.")] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="What the table does not know, as name=text. May be repeated.")
    ] = None,
    fields: Annotated[Path | None, typer.Option(help="TOML file of such names and texts, or lists of texts.")] = None,
) -> None:
    """Describe a table in Croissant, the metadata format of ML data sets; says what is not known and left out.

    Example: pickllm export croissant mine.parquet croissant.json --field license=https://spdx.org/licenses/MIT
    """
    from llm_routing_env.report.croissant import croissant_document, missing_fields, read_fields

    described = OutcomeTable.read(table)
    document = croissant_document(described, read_fields(field or [], fields))
    text = json.dumps(document, indent=2)
    if out is None:
        print(text)
    else:
        with replacing(out) as new:
            new.write_text(text + "\n", encoding="utf-8")
        _say(f"wrote {out}, which describes {described.path}: publish them in one folder")
    if missing := missing_fields(document):
        line = f"not known, and left out: {', '.join(missing)}; give them with --field NAME=TEXT or --fields FILE"
        _say(line, error=True)


def _say(line: str, *, error: bool = False) -> None:
    Terminal(stderr=error).print(line, markup=False, highlight=False, soft_wrap=True)
