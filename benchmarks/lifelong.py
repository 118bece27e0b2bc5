"""Routers that learn over a lifetime, beside routers that start afresh, and beside those that were shown every answer.

    PYTHONPATH=. python benchmarks/lifelong.py --table nano
    PYTHONPATH=. python benchmarks/lifelong.py --table cascades9 --data FOLDER

Writes `results/lifelong_<table>.json`; `benchmarks/readme.py` makes docs/online-pays.md of all of them. What is done
already lies in `results/blocks`, and is not run again unless an agent's defaults changed; `--again` where its code did.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from lifelong_figures import draw
from real_tables import rewards, where
from results_file import rounded, save
from rich.progress import Progress

from llm_routing_env.agents import agent_class
from llm_routing_env.evaluation.comparison import run_comparison
from llm_routing_env.evaluation.contestants import Contestant
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.intervals import published
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.past import LIVES, LOGGED
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.observations.embedding_file import embeddings_path
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.table import OutcomeTable

ROOT = Path(__file__).parents[1]
BLOCKS = ROOT / "results" / "blocks"
CONTEXT, WIDE = "context", "context+embedding32"
PEERS = {name: f"benchmarks.peer_agents:{name}" for name in ("ParetoBandit", "VowpalWabbit")}
SEE_A_VECTOR = ("outcome_linear", "linucb", "lin_ts", *PEERS)
SEE_NO_MORE = ("outcome_thompson", "outcome_ucb", "per_context_q", "ucb1", "thompson_beta")
ROUTERS = ("linear_router", "mlp_router")
PAPER = ("learning_automaton", "epsilon_greedy_q")
FRESH = ("outcome_linear", "outcome_thompson", "outcome_ucb", "linucb", "lin_ts", *PAPER, "random")
SHOWN = ("reward", "reward_minus_best_fixed", "oracle_gap_closed", "accuracy")
DIGITS = ".6f"  # a figure that was set out to be reached is not to be reached by rounding


def main(
    table: Annotated[str, typer.Option(help="A table's name.")] = "nano",
    data: Annotated[Path, typer.Option(help="Folder of the tables that have no name here, as NAME.parquet.")] = Path(),
    sessions: Annotated[int, typer.Option(help="Lifetimes, each with one session of every context.")] = 20,
    docs: Annotated[Path, typer.Option(help="Folder of the pictures.")] = ROOT / "docs",
    again: Annotated[bool, typer.Option(help="Run all again.")] = False,
    seed: int = 0,
) -> None:
    """Run all routers on a table under both reward forms."""
    place = where(table, data)
    outcomes, result = load_table(place), {}
    if again:
        shutil.rmtree(BLOCKS / table, ignore_errors=True)
    for form, options in rewards(table):
        setting = Setting({"table": place} | options, seed=seed)
        result[form] = facts(run(entrants(outcomes), setting, sessions, BLOCKS / table))
    print(f"wrote {save('lifelong', outcomes, result)}")
    for picture in draw(table, docs):
        print(f"wrote {picture}")


def entrants(table: OutcomeTable) -> list[Contestant]:
    """Return all who take part, with all their hyperparameters, so that a block is of the defaults that made it."""
    has_embeddings = table.path is not None and embeddings_path(table.path).is_file()
    entries, parameters = [], {}
    for row, agent, protocol, given in rows((CONTEXT, WIDE) if has_embeddings else (CONTEXT,)):
        entries.append(f"{row}={PEERS.get(agent, agent)}@{protocol}")
        parameters[row] = settings(agent) | given
    return contestants(entries, parameters)


def rows(kinds: Sequence[str]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield the name, agent, protocol and own settings of each row.

    Args:
        kinds: The observations that the table has, of those that are tried.
    """
    for agent in SEE_A_VECTOR:
        yield from ((f"{agent} on {sees}", agent, LIVES, {"observation": sees}) for sees in kinds)
    yield from ((f"{agent} lives", agent, LIVES, {}) for agent in SEE_NO_MORE)
    for agent in PAPER:
        yield from ((f"{agent} {prior}", agent, LIVES, {"prior": prior}) for prior in ("fresh", "kept"))
    for agent in FRESH:
        sees = {"observation": CONTEXT} if agent in SEE_A_VECTOR else {}
        yield f"{agent} online", agent, "online", sees
    yield "linear_router logged", "linear_router", LOGGED, {"observation": kinds[-1]}
    for sees in kinds:
        yield from ((f"{name} on {sees}", name, "pretrained", {"observation": sees}) for name in ROUTERS)
    if WIDE in kinds:
        yield "knn_router on embedding", "knn_router", "pretrained", {}


def settings(agent: str) -> dict[str, Any]:
    """Return the hyperparameters that were chosen for an agent on nano's train split."""
    return dict(agent_class(PEERS.get(agent, agent)).hyperparameters())


def run(competitors: list[Contestant], setting: Setting, sessions: int, blocks: Path) -> Comparison:
    """Compare them, with a progress bar."""
    with Progress(transient=True) as progress:
        bar = progress.add_task("", total=None)

        def show(name: str, done: int, total: int) -> None:
            description = f"{setting.options['reward']}: {name}"
            progress.update(bar, description=description, completed=done, total=total)

        return run_comparison(competitors, setting, sessions, blocks_folder=blocks, on_progress=show)


def facts(result: Comparison) -> dict[str, Any]:
    """Return what the pages show, rounded: of each row the means over all contexts, and the curve of its lives."""
    curve = next(iter(result.life_curves.values()))
    found = {
        "weights": list(result.problem.reward.weights),
        "lifetimes": result.n_lifetimes,
        "llms": result.problem.table.n_llms,
        "contexts": len(result.seeds),
        "queries_judged": sum(result.lengths.values()),
        "best_fixed_llm": result.references.best_fixed,
        "notes": list(result.problem.table.notes),
        "queries_lived": curve.ends.tolist(),
        "queries_before_judged": curve.n_past,
        "best_fixed": curve.best_fixed.tolist(),
        "references": {name: _metrics(result, name) for name in result.references.actions},
        "rows": [_row(result, name) for name in result.agents],
        "failures": result.failures,
    }
    return rounded(found, DIGITS)


def _row(result: Comparison, name: str) -> dict[str, Any]:
    contestant = result.contestants[name]
    row = {"row": name, "agent": contestant.agent.rpartition(":")[2], "protocol": contestant.protocol}
    row |= {"observation": contestant.observation, "parameters": dict(contestant.parameters)}
    row |= {"is_clear_gain": result.is_clear_gain(name), "metrics": _metrics(result, name)}
    row["routing"] = dict(result.routing[name][POOLED])
    if name in result.life_curves:
        curve = result.life_curves[name]
        after = curve.crosses_after(is_clear_gain=row["is_clear_gain"])
        row |= {"reward": curve.reward.tolist(), "ahead_after": after}
    return row


def _metrics(result: Comparison, name: str) -> dict[str, Any]:
    return {metric: published(result.metrics[name][POOLED][metric]) for metric in SHOWN}


if __name__ == "__main__":
    typer.run(main)
