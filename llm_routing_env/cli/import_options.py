"""The options of `pickllm import`, the same for every kind of file, and how their values are read."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.cli.options import choice
from llm_routing_env.importing.files import data_name
from llm_routing_env.importing.joins import Join
from llm_routing_env.importing.units import COST_UNITS, LATENCY_UNITS

Name = str | None
_COLUMNS, _FILES = (
    "Columns (dotted names reach into objects; - for none; {llm} for a column of each LLM's own)",
    "Files",
)
_SCORES, _TABLE = "Scores and units", "The table"
_OF_PATHS: Mapping[str, Callable[[Path], str]] = {
    "filename": data_name,
    "folder": lambda path: path.absolute().parent.name,
}
_KEPT = ("first", "last")


def _option(help: str, panel: str, *names: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel)


def _choice(names: Iterable[str], help: str, panel: str) -> Any:
    return choice(names, help, rich_help_panel=panel)


Src = Annotated[list[Path], typer.Argument(help="Files, or folders of them: parquet, CSV, JSON; also .gz and .zst.")]
Out = Annotated[Path, typer.Argument(help="Outcome table to write (parquet).")]
QueryColumn = Annotated[Name, _option("A query's id.", _COLUMNS)]
PromptColumn = Annotated[Name, _option("What was asked: a text, or chat messages.", _COLUMNS)]
ReferenceColumn = Annotated[Name, _option("The right answer, or a list of them.", _COLUMNS)]
ResponseColumn = Annotated[Name, _option("What the LLM answered.", _COLUMNS)]
LlmColumn = Annotated[Name, _option("The LLM's name.", _COLUMNS)]
AccuracyColumn = Annotated[Name, _option("Its score.", _COLUMNS)]
CostColumn = Annotated[Name, _option("Cost of the call.", _COLUMNS)]
LatencyColumn = Annotated[Name, _option("Time of the call.", _COLUMNS)]
ContextColumn = Annotated[Name, _option("A query's topic.", _COLUMNS)]
SplitColumn = Annotated[Name, _option("'train' or 'test'; without it, a hash of the prompt decides.", _COLUMNS)]
RepeatColumn = Annotated[Name, _option("Tells repeats of a query on an LLM apart.", _COLUMNS)]
ErrorColumn = Annotated[Name, _option("Why the call failed, or whether.", _COLUMNS)]
SuccessColumn = Annotated[Name, _option("Whether the call succeeded, or its HTTP status.", _COLUMNS)]
PromptTokensColumn = Annotated[Name, _option("Tokens read.", _COLUMNS)]
CompletionTokensColumn = Annotated[Name, _option("Tokens written.", _COLUMNS)]
Llm = Annotated[Name, _option("The LLM of every row, instead of a column.", _FILES)]
LlmFrom = Annotated[Name, _choice(_OF_PATHS, "One LLM per file, called so.", _FILES)]
Llms = Annotated[Name, _option("LLMs with a column each, by commas; default: found by the columns' names.", _FILES)]
Context = Annotated[Name, _option("One context for every query, instead of a column.", _FILES)]
ContextFrom = Annotated[Name, _choice(_OF_PATHS, "One context per file, called so.", _FILES)]
IdsPerContext = Annotated[bool, _option("Ids begin anew in each context.", _FILES, "--ids-per-context")]
Where = Annotated[list[str] | None, _option("COLUMN=VALUE: read only such rows. May be repeated.", _FILES)]
JoinFile = Annotated[
    list[str] | None,
    _option(
        "NAME=FILE:KEY, or NAME=FILE:KEY=THEIRS: its columns are NAME.column; beside/FILE is in each file's folder.",
        _FILES,
        "--join",
    ),
]
Files = Annotated[Name, _option("Which files of folders are meant, such as 'run-*.jsonl'.", _FILES)]
Keep = Annotated[Name, _choice(_KEPT, "Which of several rows of a query, LLM and repeat counts.", _FILES)]
Encoding = Annotated[str, _option("Of CSV and JSON.", _FILES)]
Separator = Annotated[Name, _option("Of CSV; default: found in the header.", _FILES)]
NoQuotes = Annotated[bool, _option("CSV: double quotes are text, as in many TSV files.", _FILES, "--no-quotes")]
ExcludeLlm = Annotated[list[str] | None, _option("Leave an LLM out. May be repeated.", _FILES)]
ScorerName = Annotated[str, _option("What to call the scores.", _SCORES)]
ScoreMap = Annotated[Name, _option("What words are worth, such as C=1,I=0,P=0.5.", _SCORES)]
ScoreRange = Annotated[Name, _option("LOW,HIGH: the scores that 0 and 1 stand for, such as 0,100.", _SCORES)]
Clip = Annotated[bool, _option("Scores beyond the range count as its ends.", _SCORES, "--clip")]
ScoreWith = Annotated[Name, _option("Score responses against references with this scorer of ours.", _SCORES)]
LatencyUnit = Annotated[Name, _choice(LATENCY_UNITS, "Default: s.", _SCORES)]
CostUnit = Annotated[Name, _choice(COST_UNITS, "Of a call, or of so many calls; default: usd.", _SCORES)]
MissingCost = Annotated[float | None, _option("US dollars of a call whose cost is empty.", _SCORES)]
DropIncomplete = Annotated[
    bool,
    _option(
        "Leave out queries that lack an LLM or a number, instead of keeping what they have. What is left is no fair "
        "sample of the queries.",
        _TABLE,
        "--drop-incomplete",
    ),
]
LatencyFrom = Annotated[
    Name,
    _option(
        "Outcome table whose recorded latencies are drawn from where the files have none: by LLM name, else by rank of "
        "mean cost. The table then says that its latency is simulated.",
        _TABLE,
    ),
]
Seed = Annotated[int, _option("Of the latencies drawn.", _TABLE)]
Note = Annotated[list[str] | None, _option("A remark that stays with the table. May be repeated.", _TABLE)]
Embed = Annotated[Name, _option("Also compute embeddings with this sentence-transformers model.", _TABLE)]
Overwrite = Annotated[bool, _option("Replace OUT, and the embeddings beside it.", _TABLE, "--overwrite")]


def parse_of_path(flag: str, text: Name) -> Callable[[Path], str] | None:
    """Read what is taken of a path: "filename" or "folder"."""
    if text is not None and text not in _OF_PATHS:
        raise unknown_name(f"value for {flag}", text, _OF_PATHS)
    return None if text is None else _OF_PATHS[text]


def parse_where(texts: list[str] | None) -> dict[str, str]:
    """Read ["filter=strict"] into {"filter": "strict"}."""
    found = {}
    for text in texts or ():
        column, is_there, value = text.partition("=")
        if not is_there or not column:
            raise ValueError(f"--where must be COLUMN=VALUE, got {text!r}.")
        if column in found:
            raise ValueError(f"--where {column} is given twice: a row has one value; import twice, or --exclude-llm.")
        found[column] = value
    return found


def parse_joins(texts: list[str] | None) -> list[Join]:
    """Read ["asked=requests.jsonl:custom_id"]."""
    found: list[Join] = []
    for text in texts or ():
        name, _, rest = text.partition("=")
        file, _, keys = rest.rpartition(":")
        ours, _, theirs = keys.partition("=")
        if not (name and file and ours):
            raise ValueError(f"--join must be NAME=FILE:KEY or NAME=FILE:KEY=THEIRS, got {text!r}.")
        if name in {join.name for join in found}:
            raise ValueError(f"--join: {name!r} is given twice.")
        if not file.startswith("beside/") and not Path(file).is_file():
            raise ValueError(f"--join {text}: there is no file {file}.")
        found.append(Join(name, Path(file), {ours: theirs or ours}))
    return found


def parse_keep(text: Name) -> Name:
    """Read "first" or "last"."""
    if text is not None and text not in _KEPT:
        raise unknown_name("value for --keep", text, _KEPT)
    return text


def parse_separator(text: Name) -> Name:
    """Read one character; `tab`, or a backslash and a t, is the tabulator."""
    found = "\t" if text in ("\\t", "tab") else text
    if found is not None and (len(found) != 1 or not found.isascii()):
        raise ValueError(f"--separator must be one ASCII character, got {text!r}.")
    return found
