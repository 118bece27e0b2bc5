"""The paper's two headline claims, measured: session cost and latency of routed sessions.

    python benchmarks/headline.py [--table nano]

Secondary sources report 60 % lower session cost (against expensive LLMs) and 52 % lower latency (against random
choice). Compared here, never tuned to: cost against always using the dearest LLM, latency against random, and the
accuracy that is given up or gained, under both reward forms.
"""

from typing import Annotated, Any

import typer
from results_file import save
from rich.console import Console
from rich.table import Table

from llm_routing_env.evaluation import Comparison, compare
from llm_routing_env.evaluation.intervals import shown
from llm_routing_env.evaluation.judging import RANDOM
from llm_routing_env.rewards.forms import FORMS
from llm_routing_env.tables.load import load_table

AGENTS = ("learning_automaton", "epsilon_greedy_q")


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path.")] = "nano",
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 200,
    length: Annotated[int, typer.Option(help="Queries per session, at most.")] = 200,
    seed: int = 0,
) -> None:
    """Run both learners under both reward forms."""
    outcomes = load_table(table)
    rows = []
    for reward in FORMS:
        result = compare(AGENTS, n_sessions=sessions, length=length, seed=seed, table=table, reward=reward)
        judge, dearest = result.judge, _dearest(result)
        for agent in AGENTS:
            rows.append(
                {
                    "reward_form": reward,
                    "agent": agent,
                    "dearest": dearest,
                    "cost_saved": judge.share_saved(agent, dearest, "cost_usd"),
                    "latency_saved": judge.share_saved(agent, RANDOM, "latency_s"),
                    "accuracy_gain_over_dearest": judge.difference(agent, dearest, measure="accuracy"),
                    "accuracy_gain_over_random": judge.difference(agent, RANDOM, measure="accuracy"),
                }
            )
    _show(rows)
    print(f"wrote {save('headline', outcomes, rows)}")


def _dearest(result: Comparison) -> str:
    """Return the LLM whose sessions cost most, contexts weighted equally, as what they are compared with."""
    costs = {
        name: metrics["all"]["session_cost_usd"]["mean"]
        for name, metrics in result.metrics.items()
        if name.startswith("always ")
    }
    return max(costs, key=lambda name: costs[name])


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table("reward", "agent", "cost saved (paper: 60 %)", "latency saved (paper: 52 %)", "accuracy against it")
    for row in rows:
        keys = ("cost_saved", "latency_saved", "accuracy_gain_over_dearest")
        cells = [shown(row[key], "+.1%") for key in keys]
        table.add_row(row["reward_form"], row["agent"], *cells, end_section=row["agent"] == AGENTS[-1])
    table.caption = f"cost and accuracy against {rows[0]['dearest']}; latency against random"
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
