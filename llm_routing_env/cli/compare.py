"""`pickllm compare`: agents over sessions, beside what could be had."""

import json
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
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
from llm_routing_env.cli.compare_fronts import end_fronts
from llm_routing_env.cli.compare_plan import DEFAULT_AGENTS, decided, entries_of, setting_of
from llm_routing_env.cli.confirm import confirm
from llm_routing_env.cli.progress import counted
from llm_routing_env.evaluation.block_store import journals_of
from llm_routing_env.evaluation.comparison import check_contestants, run_comparison
from llm_routing_env.evaluation.contestants import TRAINING_SEEDS, Contestant
from llm_routing_env.evaluation.engines import make_engine
from llm_routing_env.evaluation.estimate import estimated
from llm_routing_env.evaluation.fronts import compare_fronts
from llm_routing_env.evaluation.live_access import live_access
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.setting import ASKING, OBJECTIVES, ROUTING, Setting
from llm_routing_env.evaluation.step_logs import require_tensorboard
from llm_routing_env.evaluation.tuning import Tuned, estimated_tuning, tune
from llm_routing_env.scenarios.read import recorded_scenario
from llm_routing_env.terminal import Terminal


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
    run = decided(ctx, from_results)
    if tensorboard:
        require_tensorboard()
    blocks = _blocks_folder(out, resume=resume, needs_folder=log_steps or tensorboard)
    entries = entries_of(run)
    competitors = entries.contestants
    if against is not None and against not in (known := [contestant.name for contestant in competitors]):
        raise unknown_name("agent to compare --against", against, known)
    live = live_access(
        *(run["backend"], run["pool"], engine),
        max_usd=max_usd,
        max_requests=max_requests,
        max_in_flight=run["max_in_flight"],
    )
    setting = setting_of(run, live, log_steps=log_steps)
    run["scenario"] = recorded_scenario(run["scenario"])  # to be repeated whatever becomes of its file
    money = live.budget if live else None
    console = Terminal(stderr=as_json, quiet=quiet)
    if run["env"] == OBJECTIVES:
        _compare_by_preferences(console, competitors, setting, run, out, as_json=as_json)
        return
    tuning_sessions = run["sessions"] if run["sweep_sessions"] is None else run["sweep_sessions"]
    tried, parameters = entries.tried, entries.parameters
    run_jobs = make_engine(engine, address)
    if tried or live is not None:  # before anything is spent
        check_contestants(competitors, setting, setting.problem(), run["sessions"])
    if live is not None:
        confirm(
            estimated_tuning(tried, setting, tuning_sessions, parameters=parameters)
            + estimated(setting, len(competitors), run["sessions"]),
            max_usd=max_usd,
            max_requests=max_requests,
            yes=yes,
            more="What is kept of it is not asked again." if resume else "",
        )
    with _progress(console, money) as on_progress, saying_what_is_kept(blocks):
        if blocks is not None and live is not None:
            live.charge_journals(journals_of(blocks), setting.table)
        tuned = tune(
            tried, setting, tuning_sessions, parameters=parameters, blocks_folder=blocks, on_progress=on_progress
        )
        result = run_comparison(
            entries.tuned(tuned),
            setting,
            run["sessions"],
            training_seeds=run["training_seeds"],
            engine=run_jobs,
            blocks_folder=blocks,
            on_progress=on_progress,
        )
    document = result.document() | {"tuning": {name: found.document() for name, found in tuned.items()}, "run": run}
    _print(console, result, tuned, document, against=against, as_json=as_json)
    if money is not None:
        console.print(f"Spent ${money.spent_usd:.4f} on {money.n_requests} requests.", highlight=False)
    if out is not None:
        with saying_what_is_kept(blocks):
            files = write_files(result, document, out, command=_command(), log_steps=log_steps, tensorboard=tensorboard)
            for path in files:
                console.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    if blocks is not None and not result.failures:
        # Of LLMs that were down it has to be done again: then without paying the others twice.
        for folder in (blocks, *(() if result.down_llms else (journals_of(blocks),))):
            shutil.rmtree(folder, ignore_errors=True)
    require_complete(result, out)


def _compare_by_preferences(
    console: Terminal,
    competitors: Sequence[Contestant],
    setting: Setting,
    run: dict[str, Any],
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    with _progress(console, None) as on_progress:
        seeds = run["training_seeds"]
        fronts = compare_fronts(competitors, setting, training_seeds=seeds, on_progress=on_progress)
    end_fronts(console, fronts, run, out, command=_command(), as_json=as_json)


def _print(
    console: Terminal,
    result: Comparison,
    tuned: Mapping[str, Tuned],
    document: Mapping[str, Any],
    *,
    against: str | None,
    as_json: bool,
) -> None:
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        print_tuning(console, tuned)
        print_comparison(console, result, against)


def _command() -> str:
    return shlex.join(["pickllm", *sys.argv[1:]])


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
