"""`pickllm import`: outcome tables of other people's recorded results."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import typer

from llm_routing_env.cli import import_options as options
from llm_routing_env.cli.embed import write_table_embeddings
from llm_routing_env.cli.options import AsJson, Quiet, is_given
from llm_routing_env.cli.progress import share_shown
from llm_routing_env.importing import Imported, ImportOptions, Reading, Source, read_rows, write_table
from llm_routing_env.importing.preset import FLAGS, Preset
from llm_routing_env.importing.presets import PRESETS
from llm_routing_env.importing.units import doubt_of
from llm_routing_env.observations.embedding_file import embeddings_path
from llm_routing_env.observations.embedding_model import load_encoder
from llm_routing_env.rewards.scorers import get_scorer
from llm_routing_env.tables.notes import not_judged
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.terminal import Terminal

app = typer.Typer(
    help="Make an outcome table of results somebody else recorded.\n\n"
    "Example: pickllm import long runs.csv mine.parquet --accuracy-column judge --latency-column ms --latency-unit ms",
    no_args_is_help=True,
    add_completion=False,
)


def import_files(
    ctx: typer.Context,
    src: options.Src,
    out: options.Out,
    query_column: options.QueryColumn = None,
    prompt_column: options.PromptColumn = None,
    reference_column: options.ReferenceColumn = None,
    response_column: options.ResponseColumn = None,
    llm_column: options.LlmColumn = None,
    accuracy_column: options.AccuracyColumn = None,
    cost_column: options.CostColumn = None,
    latency_column: options.LatencyColumn = None,
    context_column: options.ContextColumn = None,
    split_column: options.SplitColumn = None,
    repeat_column: options.RepeatColumn = None,
    error_column: options.ErrorColumn = None,
    success_column: options.SuccessColumn = None,
    prompt_tokens_column: options.PromptTokensColumn = None,
    completion_tokens_column: options.CompletionTokensColumn = None,
    llm: options.Llm = None,
    llm_from: options.LlmFrom = None,
    llms: options.Llms = None,
    context: options.Context = None,
    context_from: options.ContextFrom = None,
    ids_per_context: options.IdsPerContext = False,
    where: options.Where = None,
    join: options.JoinFile = None,
    files: options.Files = None,
    keep: options.Keep = None,
    encoding: options.Encoding = "utf-8",
    separator: options.Separator = None,
    no_quotes: options.NoQuotes = False,
    exclude_llm: options.ExcludeLlm = None,
    scorer_name: options.ScorerName = "recorded",
    score_map: options.ScoreMap = None,
    score_range: options.ScoreRange = None,
    clip: options.Clip = False,
    score_with: options.ScoreWith = None,
    latency_unit: options.LatencyUnit = None,
    cost_unit: options.CostUnit = None,
    missing_cost: options.MissingCost = None,
    drop_incomplete: options.DropIncomplete = False,
    latency_from: options.LatencyFrom = None,
    seed: options.Seed = 0,
    note: options.Note = None,
    embed: options.Embed = None,
    overwrite: options.Overwrite = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Read the files of a preset, which the command is named after, and write the table."""
    others = [join.file for join in options.parse_joins(join)] + ([Path(latency_from)] if latency_from else [])
    _check_out([*src, *others], out, overwrite)
    if embed is not None:
        load_encoder(embed)  # what is missing is said before anything is written
    # Arrow's own allocator keeps several times what the batches of a long file take.
    pa.set_memory_pool(pa.system_memory_pool())
    given = {**ctx.params, "src": src}  # which earlier versions of typer leave texts there
    preset = PRESETS[str(ctx.info_name)]
    console = Terminal(stderr=as_json, quiet=quiet, soft_wrap=True, highlight=False, markup=False)
    with share_shown(console, "reading") as tell:
        source = _source(preset, given)
        _check_out([file.path for file in source.files], out, overwrite)  # a folder may hold it
        rows = read_rows(source, preset, _reading(preset, given, tell))
    numbers = {role: rows.array(role) for role in ("latency_s", "cost_usd")}
    units = {"latency_s": latency_unit, "cost_usd": cost_unit}
    doubts = [doubt_of(role, values, units[role]) for role, values in numbers.items() if values is not None]
    with share_shown(console, "writing") as tell:
        how = ImportOptions(
            scorer=score_with or scorer_name,
            drop_incomplete=drop_incomplete,
            latency_from=OutcomeTable.read(latency_from) if latency_from else None,
            seed=seed,
            notes=tuple(note or ()),
            facts={"imported_as": preset.name, "imported_with": _flags(ctx)},
            on_progress=tell,
        )
        imported = write_table(rows, source.files, out, how)
        embeddings_path(out).unlink(missing_ok=True)  # of another table's queries
    _report(imported, source, out, console)
    for line in filter(None, doubts):
        console.print(line, style="yellow")
    document = _document(imported, source, out) | {"doubts": [*filter(None, doubts)]}
    if embed is not None:
        document["embedded"] = write_table_embeddings(imported.table, out, embed, console)
    if as_json:
        print(json.dumps(document, indent=2))


for _name, _preset in PRESETS.items():
    app.command(_name, help=_preset.help)(import_files)


def _check_out(read: list[Path], out: Path, overwrite: bool) -> None:
    """Check that nothing is replaced that is read, nor anything without being asked."""
    for path in (out, embeddings_path(out)):
        is_read = path.exists() and any(each.exists() and path.samefile(each) for each in read)
        if path.exists() and (not overwrite or is_read):
            raise ValueError(f"{path} is there already; --overwrite replaces it, but never what is read.")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{out}: its folder does not exist.")


def _flags(ctx: typer.Context) -> dict[str, Any]:
    """Return what was said beside the files, without where anything lies on somebody's disk."""
    said = {
        name: value
        for name, value in ctx.params.items()
        if is_given(ctx, name) and name not in ("src", "out", "overwrite", "embed", "quiet", "as_json")
    }
    if "latency_from" in said:
        said["latency_from"] = Path(said["latency_from"]).name
    if "join" in said:
        said["join"] = [f"{text.partition('=')[0]}={Path(text.partition('=')[2]).name}" for text in said["join"]]
    return said


def _source(preset: Preset, given: Mapping[str, Any]) -> Source:
    """Return the files, with what their paths and the flags say of all their rows."""
    for role in ("llm", "context"):
        ways = [f"--{role}", f"--{role}-from", f"--{role}-column"]
        said = [way for way in ways if given[way[2:].replace("-", "_")] is not None]
        if len(said) > 1:
            raise ValueError(f"{said[0]} says the {role} of every row: leave it out, or {said[1]}.")
    of_path = {role: options.parse_of_path(f"--{role}-from", given[f"{role}_from"]) for role in ("llm", "context")}

    def about(path: Path) -> dict[str, str]:
        told = dict(preset.about(path))
        told |= {role: take(path) for role, take in of_path.items() if take is not None}
        return told | {role: given[role] for role in ("llm", "context") if given[role] is not None}

    joins = {join.name: join for join in (*preset.joins, *options.parse_joins(given["join"]))}.values()
    separator = options.parse_separator(given["separator"])
    return Source(
        given["src"],
        given["encoding"],
        separator,
        quoted=not given["no_quotes"],
        patterns=[given["files"]] if given["files"] else preset.patterns,
        about=about,
        joins=list(joins),
        shape=preset.shape,
    )


def _reading(preset: Preset, given: Mapping[str, Any], tell: Any) -> Reading:
    if given["missing_cost"] is not None and not 0 <= given["missing_cost"] < float("inf"):
        raise ValueError(f"--missing-cost must be a finite number of dollars, 0 or more, got {given['missing_cost']}.")
    names = {role: given[flag[2:].replace("-", "_")] for role, flag in FLAGS.items() if flag}
    units = {"latency_s": given["latency_unit"], "cost_usd": given["cost_unit"]}
    return Reading(
        names={role: name for role, name in names.items() if name is not None},
        scale=preset.scale.changed(given["score_map"], given["score_range"], clip=given["clip"]),
        units={role: unit for role, unit in units.items() if unit is not None},
        where={**preset.where, **options.parse_where(given["where"])},
        excluded=given["exclude_llm"] or (),
        keep=options.parse_keep(given["keep"]),
        llms=[name.strip() for name in given["llms"].split(",")] if given["llms"] else (),
        missing_cost_usd=given["missing_cost"],
        has_ids_per_context=given["ids_per_context"] or preset.has_ids_per_context,
        score=get_scorer(given["score_with"]) if given["score_with"] else None,
        on_progress=tell,
    )


def _document(imported: Imported, source: Source, out: Path) -> dict[str, Any]:
    table = imported.table
    n_train = int(table.is_train.sum())
    return {
        "table": str(out),
        "sha256": table.sha256,
        "queries": table.n_queries,
        "train": n_train,
        "test": table.n_queries - n_train,
        "llms": list(table.llm_names),
        "contexts": list(table.contexts),
        "repeats": table.n_repeats,
        "columns": dict(imported.names),
        "columns_not_read": list(imported.not_read),
        "queries_dropped": imported.n_dropped,
        "pairs_missing": imported.n_partial,
        "rows_left_out": imported.n_left_out,
        "rows_again": imported.n_again,
        "rows_unmatched": dict(source.n_unmatched),
        "rows_replaced": source.n_replaced,
        "notes": list(table.notes),
    }


def _report(imported: Imported, source: Source, out: Path, console: Terminal) -> None:
    table = imported.table
    counts: Mapping[str, int] = {"queries": table.n_queries, "LLMs": table.n_llms, "contexts": len(table.contexts)}
    sizes = " x ".join(f"{count} {name}" for name, count in counts.items())
    repeats = f", {table.n_repeats} repeats" if table.n_repeats > 1 else ""
    console.print(
        f"wrote {out}: {sizes}{repeats}, {table.is_train.sum()} train and {(~table.is_train).sum()} test queries"
    )
    console.print("columns: " + ", ".join(f"{role} from {name!r}" for role, name in imported.names.items()))
    if imported.not_read:
        console.print("columns not read: " + ", ".join(imported.not_read))
    if imported.n_partial:
        console.print(f"pairs that lack a number or a repeat, and count as missing: {imported.n_partial}")
    if imported.n_left_out:
        console.print(f"rows left out, of other LLMs or not of --where: {imported.n_left_out}")
    if imported.n_again:
        console.print(f"rows of the same query, LLM and repeat as another, left out: {imported.n_again}")
    for name, n in source.n_unmatched.items():
        if n:
            console.print(f"rows to which no row of {name!r} belongs: {n}", style="yellow")
    if source.n_replaced:
        console.print(
            f"rows with half a character, replaced by \N{REPLACEMENT CHARACTER}: {source.n_replaced}", style="yellow"
        )
    for line in filter(None, (*table.notes, not_judged(table, "test"))):
        console.print(line)
