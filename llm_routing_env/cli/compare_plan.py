"""What decides the numbers of a comparison: its options, or those of an earlier run, and who takes part."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from llm_routing_env.cli import options
from llm_routing_env.cli.compare_fronts import DEFAULT_AGENTS as DEFAULT_ROUTERS
from llm_routing_env.cli.compare_fronts import require_of_fronts
from llm_routing_env.evaluation.contestants import Contestant
from llm_routing_env.evaluation.entries import contestants, row_name
from llm_routing_env.evaluation.live_access import LiveAccess
from llm_routing_env.evaluation.past import Past
from llm_routing_env.evaluation.router import read_router
from llm_routing_env.evaluation.setting import OBJECTIVES, ROUTING, Setting
from llm_routing_env.evaluation.tuning import Tuned
from llm_routing_env.tables.load import load_table

DEFAULT_AGENTS = "learning_automaton,epsilon_greedy_q,outcome_linear@lifelong,random,round_robin,cheapest"
_PAST = ("lifetimes", "lifetime_queries", "lifetimes_from", "log")
# Kept in results.json, taken from there by --from.
DECIDING = (
    *("agents", "sessions", "length", "table", "context", "split", "reward", "weights", "scorer", "backend", "pool"),
    *("max_in_flight", "param", "sweep", "sweep_sessions", "training_seeds", "seed", "scenario", "feedback_delay"),
    *("env", "max_usd_per_query", *_PAST),
)


@dataclass(frozen=True)
class Entries:
    """Who takes part.

    Attributes:
        names: As they were given.
        parameters: Hyperparameters of each row, by its name.
        grids: The values to be tried of those that are tuned, by row and name.
    """

    names: Sequence[str]
    parameters: Mapping[str, Mapping[str, Any]]
    grids: Mapping[str, Mapping[str, Any]]

    @property
    def contestants(self) -> list[Contestant]:
        """Those who take part, with the hyperparameters given."""
        return contestants(self.names, self.parameters)

    @property
    def tried(self) -> dict[str, Mapping[str, Any]]:
        """The values to be tried, by the name that was given."""
        return {name: self.grids[row] for name in self.names if (row := row_name(name)) in self.grids}

    def tuned(self, found: Mapping[str, Tuned]) -> list[Contestant]:
        """Return those who take part, with the hyperparameters that were chosen beside those given."""
        chosen = {row_name(name): tuned.chosen for name, tuned in found.items()}
        given = {row: {**self.parameters.get(row, {}), **values} for row, values in chosen.items()}
        return contestants(self.names, {**self.parameters, **given})


def decided(ctx: typer.Context, from_results: Path | None) -> dict[str, Any]:
    """Return what decides the numbers, by name: of the command line, or of an earlier run."""
    run = {name: ctx.params[name] for name in DECIDING} if from_results is None else _repeated(ctx, from_results)
    if run["env"] == OBJECTIVES:
        require_of_fronts(ctx)
        run["agents"] = DEFAULT_ROUTERS if run["agents"] == DEFAULT_AGENTS else run["agents"]
    elif run["agents"] == DEFAULT_AGENTS and not _has_past(run):
        run["agents"] = DEFAULT_AGENTS.replace("@lifelong", "")
    return run


def entries_of(run: Mapping[str, Any]) -> Entries:
    """Return who takes part.

    Raises:
        ValueError: For an agent that is none, or a hyperparameter that is given twice.
    """
    names = [name.strip() for name in run["agents"].split(",") if name.strip()]
    rows = [row_name(name) for name in names]
    entries = Entries(names, options.parse_parameters(run["param"], rows), options.parse_sweeps(run["sweep"], rows))
    for row, grid in entries.grids.items():
        for name in grid:
            if name in entries.parameters.get(row, {}):
                raise ValueError(f"{row}.{name} is given both by --param and by --sweep: leave one out.")
    return entries


def setting_of(run: Mapping[str, Any], live: LiveAccess | None, *, log_steps: bool) -> Setting:
    """Return what everybody who takes part faces."""
    problem = {name: run[name] for name in ("table", "context", "split", "reward", "scorer")}
    problem["weights"] = options.parse_weights(run["weights"])
    problem |= {name: run[name] for name in ("max_usd_per_query", "scenario") if run[name] is not None}
    delay, past = options.parse_delay(run["feedback_delay"]), Past(*(run[name] for name in _PAST))
    return Setting(problem, run["length"], run["seed"], log_steps, live, delay, past, run["env"])


def _repeated(ctx: typer.Context, path: Path) -> dict[str, Any]:
    """Return what decided the numbers of an earlier run.

    Raises:
        ValueError: If the file is not a run's, its table has changed, or an option would change the run.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        # Of earlier versions:
        missing = dict.fromkeys(("scenario", "feedback_delay", "max_usd_per_query", *_PAST)) | {"env": ROUTING}
        run = {**missing, **document["run"]}
        run = {name: run[name] for name in DECIDING}
        sha256 = document["table"]["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the results.json of a `pickllm compare --out`: {error!r}.") from error
    given = [name for name in DECIDING if options.is_given(ctx, name)]
    if given:
        raise ValueError(f"--from repeats a run as it was: it cannot be changed by --{given[0].replace('_', '-')}.")
    found = load_table(run["table"]).sha256
    if found != sha256:
        raise ValueError(f"The table {run['table']} has changed since that run: sha256 {found}, not {sha256}.")
    if Past(*(run[name] for name in _PAST)).facts() != document.get("past", {}):
        raise ValueError(f"A log that agents learned from has changed since the run of {path}.")
    for router in (row["router"] for row in document["agents"] if "router" in row):
        if read_router(router["path"]).sha256 != router["sha256"]:
            raise ValueError(f"{router['path']} has changed since the run of {path}.")
    return run


def _has_past(run: Mapping[str, Any]) -> bool:
    """Return whether lifelong agents have what they learn from before they are judged."""
    is_test = run["backend"] == "table" and run["split"] == "test"
    return is_test and len(load_table(run["table"]).select(None, "train")) > 0
