"""`pickllm compare`: agents over sessions, beside what could be had."""

import json
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.backends.budget import Budget
from llm_routing_env.cli import options
from llm_routing_env.cli.compare_display import print_comparison, print_tuning
from llm_routing_env.cli.compare_ending import require_complete, saying_what_is_kept
from llm_routing_env.cli.compare_files import write_files
from llm_routing_env.cli.compare_fronts import DEFAULT_AGENTS as DEFAULT_ROUTERS
from llm_routing_env.cli.compare_fronts import end_fronts, require_of_fronts
from llm_routing_env.cli.confirm import confirm
from llm_routing_env.cli.progress import counted
from llm_routing_env.evaluation.block_store import journals_of
from llm_routing_env.evaluation.comparison import check_contestants, run_comparison
from llm_routing_env.evaluation.contestants import TRAINING_SEEDS
from llm_routing_env.evaluation.engines import make_engine
from llm_routing_env.evaluation.entries import contestants, row_name
from llm_routing_env.evaluation.estimate import estimated
from llm_routing_env.evaluation.fronts import compare_fronts
from llm_routing_env.evaluation.live_access import live_access
from llm_routing_env.evaluation.past import Past
from llm_routing_env.evaluation.router import read_router
from llm_routing_env.evaluation.setting import ASKING, OBJECTIVES, ROUTING, Setting
from llm_routing_env.evaluation.step_logs import require_tensorboard
from llm_routing_env.evaluation.tuning import estimated_tuning, tune
from llm_routing_env.scenarios.read import recorded_scenario
from llm_routing_env.tables.load import load_table
from llm_routing_env.terminal import Terminal

DEFAULT_AGENTS = "learning_automaton,epsilon_greedy_q,outcome_linear@lifelong,random,round_robin,cheapest"


_PAST = ("lifetimes", "lifetime_queries", "lifetimes_from", "log")
# What decides the numbers: kept in results.json, taken from there by --from.
DECIDING = (
    *("agents", "sessions", "length", "table", "context", "split", "reward", "weights", "scorer", "backend", "pool"),
    *("max_in_flight", "param", "sweep", "sweep_sessions", "training_seeds", "seed", "scenario", "feedback_delay"),
    *("env", "max_usd_per_query", *_PAST),
)


def compare(
    ctx: typer.Context,
    agents: Annotated[
        str,
        typer.Option(
            help="Agents, separated by commas; ppo, a2c, dqn; module:Class for your own; b1=ucb1 to name one; "
            "ucb1@lifelong and ucb1@logged have learned before; router.npz (pickllm train) as it stands, "
            "router.npz@lifelong learning on."
        ),
    ] = DEFAULT_AGENTS,
    env: Annotated[
        str,
        options.choice(
            (ROUTING, ASKING, OBJECTIVES),
            "The second for agents that may ask several LLMs about a query; the third for routers judged by every "
            "preference between accuracy, cost and latency.",
        ),
    ] = ROUTING,
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 100,
    length: Annotated[int, typer.Option(help="Queries per session.")] = SESSION_LENGTH,
    table: options.Table = options.TABLE,
    context: options.Context = None,
    split: options.Split = options.SPLIT,
    reward: options.RewardForm = options.FORM,
    weights: options.Weights = options.WEIGHTS,
    scorer: options.Scorer = None,
    scenario: options.ScenarioName = None,
    feedback_delay: options.FeedbackDelay = None,
    max_usd_per_query: options.MaxUSDPerQuery = None,
    backend: options.Backend = "table",
    pool: options.Pool = None,
    max_usd: options.MaxUSD = None,
    max_requests: options.MaxRequests = None,
    max_in_flight: options.MaxInFlight = None,
    yes: options.Yes = False,
    param: options.Parameters = None,
    sweep: options.Sweeps = None,
    sweep_sessions: Annotated[
        int | None, typer.Option(help="Tuning sessions per context and agent; default: as --sessions.")
    ] = None,
    training_seeds: Annotated[
        int, typer.Option(help="How often a pretrained agent is trained, to be judged by all of them.")
    ] = TRAINING_SEEDS,
    lifetimes: Annotated[
        int | None,
        typer.Option(help="How many @lifelong learners share the sessions; default: one per session of a context."),
    ] = None,
    lifetime_queries: Annotated[
        int | None, typer.Option(help="Queries of the train split that each routes first; default: all of them.")
    ] = None,
    lifetimes_from: Annotated[
        str | None, typer.Option(metavar="LOG", help="A log that @lifelong agents learn from instead.")
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="LOG", help="What @logged agents learn from; default: uniform choices on the train split."
        ),
    ] = None,
    seed: options.Seed = 0,
    against: Annotated[str | None, typer.Option(help="An agent to compare all the others with, in words.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for report.html, results.json, .csv and figures.")] = None,
    from_results: Annotated[
        Path | None, typer.Option("--from", help="Repeat the run of this results.json, number by number.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted comparison that lies in OUT.")
    ] = False,
    engine: options.Engine = "local",
    address: options.Address = None,
    log_steps: Annotated[
        bool, typer.Option("--log-steps", help="Also write OUT/steps.parquet, a log (docs/logs.md).")
    ] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write OUT/tensorboard.")] = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare agents on the same sessions, with 95 % intervals over queries and the references beside them.

    Example: pickllm compare --agents learning_automaton,slow=learning_automaton --param slow.learning_rate=0.02
    """
    run = {name: ctx.params[name] for name in DECIDING} if from_results is None else _repeated(ctx, from_results)
    if run["env"] == OBJECTIVES:
        require_of_fronts(ctx)
        run["agents"] = DEFAULT_ROUTERS if run["agents"] == DEFAULT_AGENTS else run["agents"]
    elif run["agents"] == DEFAULT_AGENTS and not _has_past(run):
        run["agents"] = DEFAULT_AGENTS.replace("@lifelong", "")
    if tensorboard:
        require_tensorboard()
    blocks = _blocks_folder(out, resume=resume, needs_folder=log_steps or tensorboard)
    names = [name.strip() for name in run["agents"].split(",") if name.strip()]
    parameters = options.parse_parameters(run["param"], [row_name(name) for name in names])
    grids = options.parse_sweeps(run["sweep"], [row_name(name) for name in names])
    _require_apart(parameters, grids)
    competitors = contestants(names, parameters)
    if against is not None and against not in (known := [contestant.name for contestant in competitors]):
        raise unknown_name("agent to compare --against", against, known)
    problem = {name: run[name] for name in ("table", "context", "split", "reward", "scorer")}
    problem["weights"] = options.parse_weights(run["weights"])
    if run["max_usd_per_query"] is not None:
        problem["max_usd_per_query"] = run["max_usd_per_query"]
    if run["scenario"] is not None:
        problem["scenario"] = run["scenario"]
        run["scenario"] = recorded_scenario(run["scenario"])  # to be repeated whatever becomes of its file
    live = live_access(
        *(run["backend"], run["pool"], engine),
        max_usd=max_usd,
        max_requests=max_requests,
        max_in_flight=run["max_in_flight"],
    )
    delay, past = options.parse_delay(run["feedback_delay"]), Past(*(run[name] for name in _PAST))
    setting = Setting(problem, run["length"], run["seed"], log_steps, live, delay, past, run["env"])
    money = live.budget if live else None
    console = Terminal(stderr=as_json, quiet=quiet)
    if run["env"] == OBJECTIVES:
        with _progress(console, None) as on_progress:
            seeds = run["training_seeds"]
            fronts = compare_fronts(competitors, setting, training_seeds=seeds, on_progress=on_progress)
        end_fronts(console, fronts, run, out, command=shlex.join(["pickllm", *sys.argv[1:]]), as_json=as_json)
        return
    budget = run["sessions"] if run["sweep_sessions"] is None else run["sweep_sessions"]
    entries = {row_name(name): name for name in names}
    tried = {entries[row]: grid for row, grid in grids.items()}
    run_jobs = make_engine(engine, address)
    if grids or live is not None:  # before anything is spent
        check_contestants(competitors, setting, setting.problem(), run["sessions"])
    if live is not None:
        confirm(
            estimated_tuning(tried, setting, budget, parameters=parameters)
            + estimated(setting, len(competitors), run["sessions"]),
            max_usd=max_usd,
            max_requests=max_requests,
            yes=yes,
            more="What is kept of it is not asked again." if resume else "",
        )
    with _progress(console, money) as on_progress, saying_what_is_kept(blocks):
        if blocks is not None and live is not None:
            live.charge_journals(journals_of(blocks), setting.table)
        tuned = tune(tried, setting, budget, parameters=parameters, blocks_folder=blocks, on_progress=on_progress)
        chosen = {row: {**parameters.get(row, {}), **tuned[entries[row]].chosen} for row in grids}
        result = run_comparison(
            contestants(names, parameters | chosen) if tuned else competitors,
            setting,
            run["sessions"],
            training_seeds=run["training_seeds"],
            engine=run_jobs,
            blocks_folder=blocks,
            on_progress=on_progress,
        )
    document = result.document() | {"tuning": {name: found.document() for name, found in tuned.items()}, "run": run}
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        print_tuning(console, tuned)
        print_comparison(console, result, against)
    if money is not None:
        console.print(f"Spent ${money.spent_usd:.4f} on {money.n_requests} requests.", highlight=False)
    if out is not None:
        command = shlex.join(["pickllm", *sys.argv[1:]])
        with saying_what_is_kept(blocks):
            files = write_files(result, document, out, command=command, log_steps=log_steps, tensorboard=tensorboard)
            for path in files:
                console.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    if blocks is not None and not result.failures:
        # Of LLMs that were down it has to be done again: then without paying the others twice.
        for folder in (blocks, *(() if result.down_llms else (journals_of(blocks),))):
            shutil.rmtree(folder, ignore_errors=True)
    require_complete(result, out)


def _require_apart(parameters: Mapping[str, Mapping[str, Any]], grids: Mapping[str, Mapping[str, Any]]) -> None:
    for row, grid in grids.items():
        for name in grid:
            if name in parameters.get(row, {}):
                raise ValueError(f"{row}.{name} is given both by --param and by --sweep: leave one out.")


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


def _blocks_folder(out: Path | None, *, resume: bool, needs_folder: bool) -> Path | None:
    """Return where finished blocks of sessions are kept until the comparison is complete."""
    if out is None:
        if resume or needs_folder:
            raise ValueError("--resume, --log-steps and --tensorboard need a folder: give --out DIR too.")
        return None
    blocks = out / "blocks"
    for folder in (blocks, journals_of(blocks)):
        if folder.is_dir() and not resume:
            raise ValueError(f"{out} holds an interrupted comparison: go on with --resume, or remove {folder}.")
    return blocks


@contextmanager
def _progress(console: Terminal, budget: Budget | None) -> Iterator[Any]:
    with counted(console) as progress:
        bar = progress.add_task("", total=None)

        def show(name: str, done: int, total: int) -> None:
            spent = "" if budget is None else f", ${budget.spent_usd:.4f}"
            progress.update(bar, description=f"{name}{spent}", completed=done, total=total)

        yield show
