"""`pickllm import`: outcome tables of other people's recorded results."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from llm_routing_env.cli.record import write_table_embeddings
from llm_routing_env.importing import Imported, ImportOptions, Source, build_table, read_long, read_routerbench
from llm_routing_env.importing.rows import Rows
from llm_routing_env.observations.embedding_file import embeddings_path
from llm_routing_env.tables.notes import not_judged
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.terminal import Terminal

app = typer.Typer(help="Make an outcome table of results somebody else recorded.", no_args_is_help=True)

Src = Annotated[Path, typer.Argument(help="Parquet, CSV, TSV or JSON lines.")]
Out = Annotated[Path, typer.Argument(help="Outcome table to write (parquet).")]
Name = str | None
QueryColumn = Annotated[Name, typer.Option(help="A query's id.")]
PromptColumn = Annotated[Name, typer.Option(help="What was asked: a text, or in the long form chat messages.")]
ContextColumn = Annotated[Name, typer.Option(help="A query's topic.")]
Context = Annotated[Name, typer.Option(help="One context for every query, instead of a column.")]
ScorerName = Annotated[str, typer.Option(help="What to call the scores.")]
ScoreScale = Annotated[float, typer.Option(help="Divide every score by this: the highest one possible.")]
ExcludeLlm = Annotated[list[str] | None, typer.Option(help="Leave an LLM out. May be repeated.")]
DropIncomplete = Annotated[
    bool,
    typer.Option(
        "--drop-incomplete",
        help="Leave out queries that lack an LLM or a number, instead of keeping what they have. What is left is no "
        "fair sample of the queries.",
    ),
]
LatencyFrom = Annotated[
    Name,
    typer.Option(
        help="Outcome table whose recorded latencies are drawn from where the file has none: by LLM name, else by rank "
        "of mean cost. The table then says that its latency is simulated."
    ),
]
Seed = Annotated[int, typer.Option(help="Of the latencies drawn.")]
Encoding = Annotated[str, typer.Option(help="Of CSV and JSON lines.")]
Note = Annotated[list[str] | None, typer.Option(help="A remark that stays with the table. May be repeated.")]
Embed = Annotated[Name, typer.Option(help="Also compute embeddings with this sentence-transformers model.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUT, and the embeddings beside it.")]


@app.command("long")
def import_long(
    src: Src,
    out: Out,
    query_column: QueryColumn = None,
    prompt_column: PromptColumn = None,
    reference_column: Annotated[Name, typer.Option(help="The right answer, or a list of them.")] = None,
    response_column: Annotated[Name, typer.Option(help="What the LLM answered.")] = None,
    llm_column: Annotated[Name, typer.Option(help="The LLM's name.")] = None,
    accuracy_column: Annotated[Name, typer.Option(help="Its score, in [0, 1].")] = None,
    cost_column: Annotated[Name, typer.Option(help="Cost of the call, in US dollars.")] = None,
    latency_column: Annotated[Name, typer.Option(help="Time of the call, in seconds.")] = None,
    context_column: ContextColumn = None,
    split_column: Annotated[
        Name, typer.Option(help="'train' or 'test'; without it, a hash of the prompt decides.")
    ] = None,
    repeat_column: Annotated[Name, typer.Option(help="Counts repeats of a query on an LLM, from 0.")] = None,
    prompt_tokens_column: Annotated[Name, typer.Option(help="Tokens read.")] = None,
    completion_tokens_column: Annotated[Name, typer.Option(help="Tokens written.")] = None,
    context: Context = None,
    scorer_name: ScorerName = "recorded",
    score_scale: ScoreScale = 1.0,
    exclude_llm: ExcludeLlm = None,
    drop_incomplete: DropIncomplete = False,
    latency_from: LatencyFrom = None,
    seed: Seed = 0,
    encoding: Encoding = "utf-8",
    note: Note = None,
    embed: Embed = None,
    overwrite: Overwrite = False,
) -> None:
    """Import one row per query and LLM. Columns called as in our own tables (query_id, llm, ...) need no flag."""
    names = {
        "query_id": query_column,
        "prompt": prompt_column,
        "references": reference_column,
        "response": response_column,
        "llm": llm_column,
        "accuracy": accuracy_column,
        "cost_usd": cost_column,
        "latency_s": latency_column,
        "context": context_column,
        "split": split_column,
        "repeat": repeat_column,
        "prompt_tokens": prompt_tokens_column,
        "completion_tokens": completion_tokens_column,
    }
    _check(context, context_column, score_scale)
    options = _options(context, scorer_name, drop_incomplete, latency_from, seed, note)
    given = {role: name for role, name in names.items() if name is not None}
    _run(
        lambda: read_long(
            Source(src, encoding), given, context=context, score_scale=score_scale, excluded=exclude_llm or ()
        ),
        src,
        out,
        options,
        embed,
        overwrite,
    )


@app.command("routerbench")
def import_routerbench(
    src: Src,
    out: Out,
    query_column: QueryColumn = None,
    prompt_column: PromptColumn = None,
    context_column: ContextColumn = None,
    context: Context = None,
    scorer_name: ScorerName = "recorded",
    score_scale: ScoreScale = 1.0,
    exclude_llm: ExcludeLlm = None,
    drop_incomplete: DropIncomplete = False,
    latency_from: LatencyFrom = None,
    seed: Seed = 0,
    encoding: Encoding = "utf-8",
    note: Note = None,
    embed: Embed = None,
    overwrite: Overwrite = False,
) -> None:
    """Import RouterBench's wide form: one row per query, and columns `<llm>`, `<llm>|total_cost` per LLM."""
    names = {"query_id": query_column, "prompt": prompt_column, "context": context_column}
    _check(context, context_column, score_scale)
    options = _options(context, scorer_name, drop_incomplete, latency_from, seed, note)
    given = {role: name for role, name in names.items() if name is not None}
    _run(
        lambda: read_routerbench(
            Source(src, encoding), given, context=context, score_scale=score_scale, excluded=exclude_llm or ()
        ),
        src,
        out,
        options,
        embed,
        overwrite,
    )


def _check(context: Name, context_column: Name, score_scale: float) -> None:
    if context is not None and context_column is not None:
        raise ValueError("--context puts every query into one context: leave it out, or --context-column.")
    if not 0 < score_scale < float("inf"):
        raise ValueError(f"--score-scale must be a finite number above 0, got {score_scale}.")


def _options(
    context: Name, scorer: str, drop_incomplete: bool, latency_from: Name, seed: int, notes: list[str] | None
) -> ImportOptions:
    return ImportOptions(
        context=context,
        scorer=scorer,
        drop_incomplete=drop_incomplete,
        latency_from=OutcomeTable.read(latency_from) if latency_from else None,
        seed=seed,
        notes=tuple(notes or ()),
    )


def _run(read: Callable[[], Rows], src: Path, out: Path, options: ImportOptions, model: Name, overwrite: bool) -> None:
    if out.exists() and (not overwrite or out.samefile(src)):
        raise ValueError(f"{out} is there already; --overwrite replaces it, but never the source.")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{out}: its folder does not exist.")
    console = Terminal(soft_wrap=True, highlight=False, markup=False)
    with console.status(f"reading {src}"):
        imported = build_table(read(), options)
    with console.status(f"writing {out}"):
        imported.table.write(out)
        embeddings_path(out).unlink(missing_ok=True)  # of another table's queries
    _report(imported, out, console)
    if model is not None:
        write_table_embeddings(imported.table, out, model, console)


def _report(imported: Imported, out: Path, console: Terminal) -> None:
    table = imported.table
    counts: Mapping[str, int] = {"queries": table.n_queries, "LLMs": table.n_llms, "contexts": len(table.contexts)}
    sizes = " x ".join(f"{count} {name}" for name, count in counts.items())
    console.print(f"wrote {out}: {sizes}, {table.is_train.sum()} train and {(~table.is_train).sum()} test queries")
    console.print("columns: " + ", ".join(f"{role} from {name!r}" for role, name in imported.columns.items()))
    if imported.not_read:
        console.print("columns not read: " + ", ".join(imported.not_read))
    if imported.n_partial:
        console.print(f"pairs that lack a number or a repeat, and count as missing: {imported.n_partial}")
    for note in filter(None, (*table.notes, not_judged(table, "test"))):
        console.print(note)
