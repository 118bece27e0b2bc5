"""Options that several commands share, and how their values are read."""

import json
import math
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from llm_routing_env.backends import BACKENDS, MAX_IN_FLIGHT
from llm_routing_env.envs.delay import Delay
from llm_routing_env.envs.options import ProblemOptions
from llm_routing_env.envs.problem import SPLITS
from llm_routing_env.evaluation.engines import ENGINES
from llm_routing_env.evaluation.late_feedback import read_delay
from llm_routing_env.rewards.forms import FORMS
from llm_routing_env.rewards.scorers import SCORERS
from llm_routing_env.scenarios import PRESETS
from llm_routing_env.tables.shipped import named_tables

TABLE, SPLIT, FORM = str(ProblemOptions.table), ProblemOptions.split, ProblemOptions.reward
WEIGHTS = ",".join(f"{weight:g}" for weight in ProblemOptions.weights)

TABLE_HELP = f"A table's name ({', '.join(named_tables())}), or the path of an outcome table."


def choice(names: Iterable[str], help: str, *flags: str, more: str = "", **options: Any) -> Any:
    """Return an option that tells its values to readers of the help, and to shells that complete them.

    What is none of them is refused further in, where it is used, in one line that names the nearest.

    Args:
        names: The values.
        help: What they decide.
        flags: What the option is called, if not as the parameter.
        more: What else may be given, such as "|module:MyForm".
        options: Of typer.
    """
    known = tuple(names)
    metavar = "|".join(known) + more
    return typer.Option(*flags, help=help, metavar=metavar, autocompletion=lambda: list(known), **options)


Table = Annotated[str, typer.Option(help=TABLE_HELP, autocompletion=lambda: list(named_tables()))]
Context = Annotated[str | None, typer.Option(help="One context only, or 'mixed'; default: every context.")]
Split = Annotated[str, choice(SPLITS, "Whose queries.")]
RewardForm = Annotated[str, choice(FORMS, "Form of the reward, or your own.", "--reward", more="|my_module:MyForm")]
Weights = Annotated[str, typer.Option(help="Importance of accuracy, cost and latency.")]
Scorer = Annotated[
    str | None,
    typer.Option(
        help=f"Which of the table's scores counts as accuracy, such as {', '.join(SCORERS)}; default: its own.",
        autocompletion=lambda: list(SCORERS),
    ),
]
ScenarioName = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        help=f"What changes in a session: {', '.join(PRESETS)}, a TOML file, or module:function.",
        autocompletion=lambda: list(PRESETS),
    ),
]
FeedbackDelay = Annotated[
    str | None,
    typer.Option(help="Steps by which rewards reach agents late: 10, or drawn: uniform,0,20 or geometric,0.1."),
]
Backend = Annotated[str, choice(BACKENDS, "Who answers: what was recorded, running servers, or vLLM in this process.")]
Engine = Annotated[str, choice(ENGINES, "Where it runs: here, or spread over a Ray cluster.")]
Pool = Annotated[str | None, typer.Option(help="Live pool: shipped name or TOML; default: the table's.")]
MaxUSDPerQuery = Annotated[
    float | None,
    typer.Option(
        help="Mean cost of a query that agents are to keep to (budget_pacer, hull_router and zero_router do), and are "
        "measured against."
    ),
]
MaxUSD = Annotated[float | None, typer.Option(help="Live: stop before the cost could exceed this.")]
MaxRequests = Annotated[int | None, typer.Option(help="Live: send no more requests than this, retries included.")]
Yes = Annotated[bool, typer.Option("--yes", help="Live: send what costs money without a bound, and do not ask.")]
MaxInFlight = Annotated[int | None, typer.Option(help=f"Live: most requests at once; default: {MAX_IN_FLIGHT}.")]
Parameters = Annotated[
    list[str] | None, typer.Option("--param", help="Hyperparameter, as agent.name=value. May be repeated.")
]
Sweeps = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep", help="Values to choose from on the train split, as agent.name=value,value. May be repeated."
    ),
]
Address = Annotated[str | None, typer.Option(help="Ray cluster's host:port; default: one started on this machine.")]
Seed = Annotated[int, typer.Option(help="Of sessions, agents and intervals.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors, and what --json prints.")]


def is_given(ctx: typer.Context, name: str) -> bool:
    """Return whether a parameter was said on the command line."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def parse_weights(text: str) -> tuple[float, ...]:
    """Read "1,0.5,0.5"."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--weights must be three numbers separated by commas, got {text!r}.") from None


def parse_delay(text: str | None) -> Delay | None:
    """Read "10", "uniform,0,20" or "geometric,0.1"; None where rewards come at once."""
    if text is None:
        return None
    parts = [_value(part.strip()) for part in text.split(",")]
    try:
        return read_delay(parts[0] if len(parts) == 1 and not isinstance(parts[0], str) else parts)
    except ValueError as error:
        raise ValueError(f"--feedback-delay {text!r}: {error}") from None


def parse_parameters(texts: list[str] | None, agents: list[str]) -> dict[str, dict[str, Any]]:
    """Read ["ucb1.c=2"] into {"ucb1": {"c": 2}}; values are JSON, or else text."""
    read = _assignments("--param", texts, agents)
    return {agent: {name: _value(text) for name, text in values.items()} for agent, values in read.items()}


def parse_sweeps(texts: list[str] | None, agents: list[str]) -> dict[str, dict[str, list[Any]]]:
    """Read ["ucb1.c=0.5,1"] into {"ucb1": {"c": [0.5, 1]}}."""
    read = _assignments("--sweep", texts, agents)
    return {
        agent: {name: [_value(part) for part in text.split(",")] for name, text in values.items()}
        for agent, values in read.items()
    }


def _assignments(option: str, texts: list[str] | None, agents: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text in texts or []:
        target, equals, value = text.partition("=")
        agent, dot, name = target.rpartition(".")
        if not (equals and dot and agent and name):
            raise ValueError(f"{option} must look like agent.name=value, got {text!r}.")
        if agent not in agents:
            raise ValueError(
                f"{option} {text!r} is for the agent {agent!r}, which is not compared: {', '.join(agents)}."
            )
        if name in found.setdefault(agent, {}):
            raise ValueError(f"{option} {text!r}: {agent}.{name} is given twice.")
        found[agent][name] = value
    return found


def _value(text: str) -> Any:
    """Read a value as JSON, as a number that JSON would not take (".05"), or else as text.

    Raises:
        ValueError: For a number without end, or none: nothing here takes one, and no JSON file holds one.
    """
    for read in (json.loads, float):
        try:
            value = read(text)
        except ValueError:
            continue
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"a hyperparameter must be finite, got {text!r}.")
        return value
    return text
