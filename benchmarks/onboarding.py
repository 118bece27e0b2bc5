"""What a new LLM is worth to `uniroute` after a few probe queries, with and without caution.

    python benchmarks/onboarding.py [--table nano] [--reward additive]

Each LLM in turn is new: the router is fitted on the others, and the LLM added from n training queries that are drawn.
Printed is how the reward on the test split changes by that, averaged over draws and LLMs, beside the change when it is
added from the whole train split; and which share of that is reached, over the LLMs that are worth more than 0.002.
Writes `results/onboarding_TABLE.json`, unless the clusters are given.
"""

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import typer
from results_file import rounded, save
from rich.console import Console
from rich.table import Table

from llm_routing_env.agents.parts.training import TrainingTable
from llm_routing_env.agents.uniroute import UniRoute
from llm_routing_env.envs.problem import MIXED, RoutingProblem

N_PROBES, CAUTIONS = (10, 20, 50, 100, 200, 400), (0.0, 1.5)
WORTH_KNOWING = 0.002


def main(
    table: Annotated[str, typer.Option(help="A table's name or path, with embeddings.")] = "nano",
    reward: Annotated[str, typer.Option(help="pickllm or additive.")] = "additive",
    draws: Annotated[int, typer.Option(help="Draws of probes per LLM.")] = 10,
    clusters: Annotated[int | None, typer.Option(help="Clusters; without, as cross-validation chooses.")] = None,
    seed: int = 0,
) -> None:
    """Add each LLM in turn and print what it brings."""
    problem = RoutingProblem(table, split="test", reward=reward, observation="embedding")
    training, rng = problem.training_table(), np.random.default_rng(seed)
    changes = {(n, caution): np.zeros((len(problem.task.llms), draws)) for n in N_PROBES for caution in CAUTIONS}
    full = np.zeros(len(problem.task.llms))
    for new in range(len(full)):
        order = [*np.delete(np.arange(len(full)), new), new]
        router, without = _fitted(problem, training, order[:-1], seed, clusters)
        known = np.flatnonzero(training.has_cell[:, new])
        full[new] = _with(router, problem, training.part(known, [new]), order, 0.0) - without
        for draw in range(draws):
            shuffled = rng.permutation(known)
            for n, caution in changes:
                probes = training.part(shuffled[:n], [new])
                changes[n, caution][new, draw] = _with(router, problem, probes, order, caution) - without
    rows = _rows(changes, full)
    _show(f"{problem.table.name}, {reward}: a new LLM from n probes", rows)
    if clusters is None:
        print(f"wrote {save('onboarding', problem.table, rounded({'reward': reward, 'draws': draws, 'rows': rows}))}")


def _fitted(
    problem: RoutingProblem, training: TrainingTable, llms: list[int], seed: int, clusters: int | None
) -> tuple[UniRoute, float]:
    """Return a router fitted on some LLMs, and what it earns."""
    names, costs = (
        np.array(values)[llms].tolist() for values in (problem.task.llm_names, problem.task.expected_cost_usd)
    )
    infos = tuple(problem.task.llms[llm] for llm in llms)
    task = replace(
        problem.task, n_actions=len(llms), llm_names=tuple(names), expected_cost_usd=tuple(costs), llms=infos
    )
    router = UniRoute(task, seed=seed, n_clusters=clusters)
    router.fit(training.part(llms=llms))
    return router, _earned(router, problem, llms)


def _with(router: UniRoute, problem: RoutingProblem, probes: TrainingTable, order: list[int], caution: float) -> float:
    """Return what the router earns once it has the last LLM of the order, and forget the LLM again."""
    kept = router.worth, router.lines, router.task
    router.add_llm(problem.task.llms[order[-1]], probes, caution=caution)
    earned = _earned(router, problem, order)
    router.worth, router.lines, router.task = kept
    return earned


def _earned(router: UniRoute, problem: RoutingProblem, llms: list[int]) -> float:
    """Return the mean reward on the test split, contexts weighted equally."""
    queries = problem.queries_of(MIXED)
    rewards = problem.reward_table.query_means[queries][:, llms]
    scores = np.where(np.isnan(rewards), -np.inf, router._scores(problem.observations[queries].astype(np.float64)))
    picked = rewards[np.arange(len(queries)), scores.argmax(axis=1)]
    contexts = problem.table.query_contexts[queries]
    return float(np.mean([picked[contexts == context].mean() for context in np.unique(contexts)]))


def _rows(changes: dict[tuple[int, float], np.ndarray], full: np.ndarray) -> list[dict[str, Any]]:
    """Return a row for each number of probes and caution, and one for all that there is to know."""
    useful = full > WORTH_KNOWING
    found = [(n, caution, change.mean(axis=1)) for (n, caution), change in changes.items()] + [(None, 0.0, full)]
    return [
        {
            "n": n,
            "caution": caution,
            "change": float(by_llm.mean()),
            "worst": float(by_llm.min()),
            "share": float(by_llm[useful].mean() / full[useful].mean()) if useful.any() else None,
        }
        for n, caution, by_llm in found
    ]


def _show(title: str, rows: list[dict[str, Any]]) -> None:
    shown = Table(title=title)
    for column in ("n", "caution", "change of reward", "worst LLM", "of all that it is worth"):
        shown.add_column(column, justify="right")
    for row in rows:
        share = "-" if row["share"] is None else f"{row['share']:.0%}"
        changes = (f"{row[name]:+.4f}" for name in ("change", "worst"))
        shown.add_row(str(row["n"] or "all"), f"{row['caution']:g}", *changes, share)
    Console(width=100).print(shown)


if __name__ == "__main__":
    typer.run(main)
