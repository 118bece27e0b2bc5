"""`pickllm verify`: whether a table's scores and costs are those of its own responses and tokens."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_routing_env.cli import options
from llm_routing_env.cli.progress import counted
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.terminal import Terminal

Document = dict[str, Any]


def verify(
    table: Annotated[str, typer.Argument(help=options.TABLE_HELP)],
    write: Annotated[
        Path | None, typer.Option(help="Write the table with the scores as they are computed now (parquet).")
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Score a table's stored responses again, and compute its costs from tokens and prices; no LLM is asked.

    Exit code 1 if a number differs from the recorded one, 0 if none does.

    Example: pickllm verify mine.parquet --write rescored.parquet
    """
    from llm_routing_env.evaluation.verification import verify_table

    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # of a scorer's model: they are no part of the answer
    console = Terminal(stderr=as_json, quiet=quiet, highlight=False, markup=False, soft_wrap=True)
    with counted(console) as progress:
        bar = progress.add_task("verifying", total=None)
        document = verify_table(
            OutcomeTable.read(table),
            out=write,
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _print(console, document)
    if write is not None:
        console.print(f"wrote {write}; next: pickllm embed {write}")
    raise typer.Exit(1 if document["n_differing"] else 0)


def _print(console: Terminal, document: Document) -> None:
    console.print(f"{document['table']}: {document['rows']} rows (sha256 {document['sha256'][:12]}…)")
    for name, found in document["scorers"].items():
        console.print(*_lines(f"accuracy {name}", found), sep="\n")
    console.print(*_lines("costs", document["costs"]), sep="\n")
    n_cut = sum(document["cut"]["answers"].values())
    told_by = document["cut"]["told_by"]
    console.print(f"answers cut at max_tokens: {n_cut if told_by else 'the table cannot tell'}" + _by(told_by))
    console.print(f"failed calls: {sum(document['failed_calls'].values())}")
    console.print(f"prompts in both splits: {document['prompts_in_both_splits']}")
    for note in document["notes"]:
        console.print(note, style="yellow")
    n_checked, n_differing = document["n_checked"], document["n_differing"]
    nothing = "Nothing differs." if n_checked else "Nothing could be computed, so nothing is known."
    console.print(f"{n_differing} of {n_checked} numbers differ." if n_differing else nothing, style="bold")


def _by(told_by: str | None) -> str:
    return f" (by {told_by})" if told_by else ""


def _lines(what: str, found: Document) -> list[str]:
    """Return what became of one check: a line, and one for each of the first rows that differ."""
    if found["not_computed"]:
        return [f"{what}: not computed here: {found['not_computed']}"]
    lines = [f"{what}: {found['n_differing']} of {found['n_checked']} differ"]
    for row in found["first"]:
        cell = f"query {row['query_id']!r}, LLM {row['llm']!r}, repeat {row['repeat']}"
        lines.append(f"  {cell}: recorded {row['recorded']:g}, computed {row['computed']:g}")
    return lines
