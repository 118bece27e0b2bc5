"""`pickllm export`: what others read: a journal's outcomes, a table's metadata, logs in other libraries' formats."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.cli.options import AsJson, Quiet
from llm_routing_env.recording.export import export_journal, require_new
from llm_routing_env.tables.parts import part_paths
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.terminal import Terminal

if TYPE_CHECKING:  # other exports start sooner without
    from llm_routing_env.logs.exporting.observed import Observed

app = typer.Typer(
    help="Write what other programs read: a journal's outcomes, a table's metadata, a log's steps.\n\n"
    "Example: pickllm export minari runs/steps.parquet datasets/pickllm/random-v0 --agent random",
    no_args_is_help=True,
    add_completion=False,
)


@app.command("journal")
def journal(
    journal: Annotated[Path, typer.Argument(help="Journal of a recording or of live sessions, of any version.")],
    out: Annotated[Path, typer.Argument(help="File to write: .csv or .jsonl.")],
    queries: Annotated[
        Path | None, typer.Option(help="The queries that were asked: with them `import long` can make a table.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write the outcomes that a journal holds as rows; nothing in it is changed.

    Example: pickllm export journal old.parquet.journal.jsonl outcomes.jsonl --queries queries.jsonl
    """
    done = export_journal(journal, out, None if queries is None else QuerySet.read(queries))
    left_out = [(done.n_unmatched, "of other queries"), (done.n_damaged, "damaged")]
    said = ", ".join(f"{n} {what}" for n, what in left_out if n)
    counts = {"outcomes": done.n_rows, "unmatched": done.n_unmatched, "damaged": done.n_damaged}
    _tell(out, counts, f"; left out: {said}" * bool(said), quiet=quiet, as_json=as_json)


@app.command("croissant")
def croissant(
    table: Annotated[str, typer.Argument(help="Shipped table's name, or the path of an outcome table.")],
    out: Annotated[Path | None, typer.Argument(help="JSON file to write, beside the table; default: print it.")] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="What the table does not know, as name=text. May be repeated.")
    ] = None,
    fields: Annotated[Path | None, typer.Option(help="TOML file of such names and texts, or lists of texts.")] = None,
    quiet: Quiet = False,
) -> None:
    """Describe a table in Croissant, the metadata format of ML data sets; says what is not known and left out.

    Example: pickllm export croissant mine.parquet croissant.json --field license=https://spdx.org/licenses/MIT
    """
    from llm_routing_env.report.croissant import croissant_document, missing_fields, read_fields

    described = OutcomeTable.read(table)
    _require_apart(out, [*part_paths(described.path or Path(table)), fields])
    document = croissant_document(described, read_fields(field or [], fields))
    text = json.dumps(document, indent=2)
    if out is None:
        print(text)
    else:
        with replacing(out) as new:
            new.write_text(text + "\n", encoding="utf-8")
        if not quiet:
            _say(f"wrote {out}, which describes {described.path}: publish them in one folder")
    if not quiet and (missing := missing_fields(document)):
        line = f"not known, and left out: {', '.join(missing)}; give them with --field NAME=TEXT or --fields FILE"
        _say(line, error=True)


LogFile = Annotated[Path, typer.Argument(help="Log of `compare --log-steps`, of LogSteps or of `import-log`.")]
AgentName = Annotated[str | None, typer.Option("--agent", help="Whose rows; needed where the log has several.")]
Observation = Annotated[str | None, typer.Option(help="Kind of observation; default: what the agent saw.")]
TableOfLog = Annotated[
    str | None, typer.Option("--table", help="The table that was logged on; default: the shipped one that it names.")
]


@app.command("minari")
def minari(
    log: LogFile,
    out: Annotated[Path, typer.Argument(help="Folder to write, called as the data set: datasets/pickllm/random-v0.")],
    agent: AgentName = None,
    observation: Observation = None,
    table: TableOfLog = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a log as a data set of Minari, an episode per session. Needs the extra `logs`.

    Example: pickllm export minari runs/steps.parquet datasets/pickllm/random-v0 --agent random
    """
    from llm_routing_env.logs.exporting.minari import require_minari, write_minari

    require_minari()
    n = write_minari(_observed(log, agent, observation, table), out)
    _tell(out, {"episodes": n}, quiet=quiet, as_json=as_json)


@app.command("obp")
def obp(
    log: LogFile,
    out: Annotated[Path, typer.Argument(help=".npz file to write.")],
    agent: AgentName = None,
    observation: Observation = None,
    table: TableOfLog = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a log as the bandit feedback of Open Bandit Pipeline.

    Example: pickllm export obp runs/steps.parquet random.npz --agent random
    """
    from llm_routing_env.logs.exporting.obp import write_obp

    _require_suffix(out, ".npz")
    require_new(out)
    n = write_obp(_observed(log, agent, observation, table), out)
    _tell(out, {"rounds": n}, quiet=quiet, as_json=as_json)


@app.command("vw")
def vw(
    log: LogFile,
    out: Annotated[Path, typer.Argument(help=".txt file to write.")],
    agent: AgentName = None,
    observation: Observation = None,
    table: TableOfLog = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a log as text for Vowpal Wabbit's --cb_adf; the cost of a choice is its reward's negative.

    Example: pickllm export vw runs/steps.parquet random.txt --agent random --observation context
    """
    from llm_routing_env.logs.exporting.vw import write_vw

    _require_suffix(out, ".txt")
    require_new(out)
    n = write_vw(_observed(log, agent, observation, table), out)
    _tell(out, {"examples": n}, quiet=quiet, as_json=as_json)


def _observed(log: Path, agent: str | None, observation: str | None, table: str | None) -> "Observed":
    from llm_routing_env.logs import read_log
    from llm_routing_env.logs.exporting.observed import observed

    return observed(read_log(log), agent, observation, table)


def _require_suffix(out: Path, suffix: str) -> None:
    if out.suffix != suffix:
        raise ValueError(f"{out}: the file must be called *{suffix}.")


def _require_apart(out: Path | None, read: Iterable[Path | None]) -> None:
    """Check that nothing is replaced that is read."""
    for path in filter(None, read):
        if out is not None and out.exists() and path.exists() and out.samefile(path):
            raise ValueError(f"{out} is read for this: give another file to write.")


def _tell(out: Path, counts: dict[str, int], more: str = "", *, quiet: bool, as_json: bool) -> None:
    """Print what was written, and how much of it: the first of the counts."""
    if as_json:
        print(json.dumps({"file": str(out), **counts}, indent=2))
    elif not quiet:
        what, n = next(iter(counts.items()))
        _say(f"wrote {out}: {n} {what}{more}")


def _say(line: str, *, error: bool = False) -> None:
    Terminal(stderr=error).print(line, markup=False, highlight=False, soft_wrap=True)
