"""The paper's two headline claims, measured: session cost and latency of routed sessions.

    python benchmarks/headline.py [--table nano]

Secondary sources report 60 % lower session cost (against expensive LLMs) and 52 % lower latency (against random
choice). Compared here, never tuned to: cost against always using the dearest LLM, latency against random, and the
accuracy that is given up or gained, under both reward forms.
"""

from typing import Annotated, Any

import numpy as np
import typer
from results_file import save
from rich.console import Console
from rich.table import Table

from llm_routing_env.envs.problem import load_table
from llm_routing_env.evaluation import Comparison, compare
from llm_routing_env.evaluation.statistics import Interval

AGENTS = ("learning_automaton", "epsilon_greedy_q")


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path.")] = "nano",
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 200,
    length: Annotated[int, typer.Option(help="Queries per session, at most.")] = 200,
    seed: int = 0,
) -> None:
    """Run both learners and random under both reward forms."""
    outcomes = load_table(table)
    dearest = f"always {outcomes.llm_names[int(np.argmax(outcomes.cost_usd.mean(axis=(0, 2))))]}"
    rows = []
    for reward in ("pickllm", "additive"):
        result = compare([*AGENTS, "random"], n_sessions=sessions, length=length, seed=seed, table=table, reward=reward)
        for agent in AGENTS:
            rows.append(
                {
                    "reward_form": reward,
                    "agent": agent,
                    "dearest": dearest,
                    "cost_saved": _saved(result, agent, dearest, "cost_usd"),
                    "latency_saved": _saved(result, agent, "random", "latency_s"),
                    "accuracy_gain_over_dearest": _difference(result, agent, dearest),
                    "accuracy_gain_over_random": _difference(result, agent, "random"),
                }
            )
    _show(rows)
    print(f"wrote {save('headline', outcomes, rows)}")


def _saved(result: Comparison, agent: str, other: str, measure: str) -> Interval:
    return _statistic(result, agent, other, measure, lambda means: 1 - means[..., 0] / means[..., 1])


def _difference(result: Comparison, agent: str, other: str) -> Interval:
    return _statistic(result, agent, other, "accuracy", lambda means: means[..., 0] - means[..., 1])


def _statistic(result: Comparison, agent: str, other: str, measure: str, of_means: Any) -> Interval:
    strata = [
        np.stack([result.logs[name][context].measures[measure].mean(axis=1) for name in (agent, other)], axis=1)
        for context in result.logs[agent]
    ]
    bootstrap = Bootstrap([len(rows) for rows in strata], np.random.default_rng(result.seed))
    return bootstrap.statistic(strata, of_means)


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table("reward", "agent", "cost saved (paper: 60 %)", "latency saved (paper: 52 %)", "accuracy against it")
    for row in rows:
        cells = [
            f"{row[key]['mean']:+.1%} [{row[key]['low']:+.1%}, {row[key]['high']:+.1%}]"
            for key in ("cost_saved", "latency_saved", "accuracy_gain_over_dearest")
        ]
        table.add_row(row["reward_form"], row["agent"], *cells, end_section=row["agent"] == AGENTS[-1])
    table.caption = f"cost and accuracy against {rows[0]['dearest']}; latency against random"
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
