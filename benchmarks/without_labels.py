"""What a router earns that was trained on a score without references, judged by the truth.

    python benchmarks/without_labels.py [--table nano] [--agent linear_router]

Share closed of the gap between the best fixed LLM in hindsight and the per-query oracle; contexts weigh the same.
"""

from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from llm_routing_env.agents import make_agent
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.rewards.reference_free import REFERENCE_FREE


def closed(true: RoutingProblem, told: RoutingProblem, agent: str) -> float:
    """Return the share closed by an agent that is fitted on what one problem's scorer says."""
    rows = true.queries_of("mixed")
    earned, contexts = true.reward_table.query_means[rows], true.table.query_contexts[rows]
    router = make_agent(agent, told.task, n_sessions=len(rows), seed=0)
    router.fit(told.training_table())
    got = earned[np.arange(len(rows)), router.select_action(told.observations[rows])]

    def mean(values: Any) -> Any:
        return np.mean([values[contexts == context].mean(axis=0) for context in np.unique(contexts)], axis=0)

    best = mean(earned).max()
    return float((mean(got) - best) / (mean(earned.max(axis=1)) - best))


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path.")] = "nano",
    agent: Annotated[str, typer.Option(help="A pretrained router.")] = "linear_router",
) -> None:
    """Train on the truth and on each score, under both forms of the reward."""
    shown = Table("trained on", "pickllm", "additive")
    true = {form: RoutingProblem(table, reward=form) for form in ("pickllm", "additive")}
    for scorer in (true["pickllm"].scorer, *REFERENCE_FREE):
        told = {form: RoutingProblem(table, reward=form, scorer=scorer) for form in true}
        shown.add_row(scorer, *(f"{closed(true[form], told[form], agent):.0%}" for form in true))
    Console().print(shown)


if __name__ == "__main__":
    typer.run(main)
