"""Queries to commit and wrong commits of the paper's two learners.

    python benchmarks/convergence.py [--table nano]

The automaton for learning rates b = 0.01, 0.05, 0.1, 0.3 under three normalisers, the Q agent for its step sizes,
under both reward forms, in sessions as long as the shortest context allows (500 queries at most).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from matplotlib.figure import Figure
from results_file import save
from rich.console import Console
from rich.progress import track
from rich.table import Table

from llm_routing_env.evaluation import compare
from llm_routing_env.rewards.forms import FORMS
from llm_routing_env.tables.load import load_table

LEARNING_RATES = (0.01, 0.05, 0.1, 0.3)
NORMALISERS = ("running_max", "running_minmax", "quantiles")
STEP_SIZES = (0.05, 0.1, 0.3, "sample_mean")
METRICS = ("median_queries_to_commit", "committed", "wrong_commit", "within_0.02_of_best", "reward", "regret")


def variants() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every agent and its hyperparameters."""
    for normaliser in NORMALISERS:
        for rate in LEARNING_RATES:
            yield "learning_automaton", {"learning_rate": rate, "normaliser": normaliser}
    for step_size in STEP_SIZES:
        yield "epsilon_greedy_q", {"step_size": step_size}


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path.")] = "nano",
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 200,
    split: Annotated[str, typer.Option(help="train, test or all.")] = "test",
    seed: int = 0,
) -> None:
    """Run every variant under both reward forms."""
    outcomes = load_table(table)
    length = min(500, *(len(outcomes.select(context, split)) for context in outcomes.contexts))
    rows = []
    for reward in FORMS:
        for agent, parameters in track(list(variants()), f"{reward}, {length} queries a session"):
            result = compare(
                [agent],
                n_sessions=sessions,
                length=length,
                seed=seed,
                parameters={agent: parameters},
                table=table,
                split=split,
                reward=reward,
            )
            metrics = result.metrics[agent]["all"]
            rows.append(
                {"reward_form": reward, "agent": agent, **parameters, "length": length}
                | {name: metrics[name] for name in METRICS}
            )
    _show(rows)
    path = save("convergence", outcomes, rows)
    _plot(rows, path.with_suffix(".png"))
    print(f"wrote {path} and {path.with_suffix('.png')}")


def _label(row: dict[str, Any]) -> str:
    if row["agent"] == "learning_automaton":
        return f"automaton b={row['learning_rate']}, {row['normaliser']}"
    return f"Q step {row['step_size']}"


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table("reward", "agent", "committed", "wrongly", "median queries to commit", "within 0.02", "reward/query")
    for row in rows:
        commit = row["median_queries_to_commit"]["mean"]
        table.add_row(
            row["reward_form"],
            _label(row),
            f"{row['committed']['mean']:.0%}",
            f"{row['wrong_commit']['mean']:.0%}",
            "-" if commit is None else f"{commit:.0f}",
            f"{row['within_0.02_of_best']['mean']:.0%}",
            f"{row['reward']['mean']:.3f}",
        )
    Console().print(table)


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots(1, len(FORMS), sharey=True)
    for axis, form in zip(axes, FORMS, strict=True):
        for number, normaliser in enumerate((*NORMALISERS, None)):
            chosen = [r for r in rows if r["reward_form"] == form and r.get("normaliser") == normaliser]
            points = [[100 * r[key]["mean"] for key in ("committed", "wrong_commit")] for r in chosen]
            label = f"automaton, {normaliser}" if normaliser else "epsilon-greedy Q"
            axis.plot(*zip(*points, strict=True), marker="o", color=f"C{number}", label=label)
            for r, point in zip(chosen, points, strict=True):
                text = f"{r.get('learning_rate', r.get('step_size'))}"
                axis.annotate(text, point, xytext=(4, 4), textcoords="offset points", fontsize=7)
        axis.set(title=f"reward: {form}", xlabel="sessions that commit, %", xlim=(-3, 106), ylim=(-1, None))
    axes[0].set_ylabel("sessions that commit to a wrong LLM, %")
    axes[1].legend(fontsize=8, frameon=False)
    figure.suptitle("Commitments, and wrong ones, by step size (the numbers)", fontsize=11)
    figure.savefig(path, dpi=130, facecolor="white")


if __name__ == "__main__":
    typer.run(main)
