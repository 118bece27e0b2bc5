"""What scores without references are worth, and what a router earns that was trained on one, judged by the truth.

    python benchmarks/without_labels.py [--table nano]

On the test split. AUC is the probability that a right answer scores above a wrong one (ties count half), of any query
and of the same one; best of all: how often the answer is right that scores highest of all LLMs'. Then the share closed
of the gap between the best fixed LLM in hindsight and the per-query oracle by routers that learned from the score;
contexts weigh the same. Writes `results/without_labels_TABLE.json`.
"""

from typing import Annotated, Any

import numpy as np
import typer
from results_file import rounded, save
from rich.console import Console
from rich.table import Table
from scorers import aucs
from sklearn.metrics import roc_auc_score

from llm_routing_env.agents import make_agent
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.rewards.reference_free import REFERENCE_FREE

FORMS = ("pickllm", "additive")
ROUTERS = ("linear_router", "uniroute")


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


def separated(right: np.ndarray, scores: np.ndarray, contexts: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    """Return how well scores (queries, LLMs) separate right answers from wrong ones."""
    mixed = (right.min(axis=1) == 0) & (right.max(axis=1) == 1)
    # Ties are shared evenly, as by whoever draws among the best.
    best = scores == scores.max(axis=1, keepdims=True)
    by_context = {name: contexts == n for n, name in enumerate(names)}
    return {
        "auc": aucs(right, scores, {"all": np.ones(len(right), dtype=bool)})["all"],
        "auc_by_context": aucs(right, scores, by_context),
        "right_over_wrong": float(
            np.mean([roc_auc_score(of, by) for of, by in zip(right[mixed], scores[mixed], strict=True)])
        ),
        "best_of_all": float(((best * right).sum(axis=1) / best.sum(axis=1)).mean()),
    }


def main(
    table: Annotated[
        str, typer.Option(help="Name or path; answers are right or wrong, some of each in a context.")
    ] = "nano",
) -> None:
    """Judge each score by the truth, and train on it under both forms of the reward."""
    true = {form: RoutingProblem(table, reward=form) for form in FORMS}
    outcomes, scorer = true["pickllm"].table, true["pickllm"].scorer
    rows = true["pickllm"].queries_of("mixed")
    right = outcomes.accuracy(scorer)[rows, :, 0]
    result = {}
    for name in (*REFERENCE_FREE, scorer):
        scores = right if name == scorer else REFERENCE_FREE[name](outcomes)[rows, :, 0]
        told = {form: RoutingProblem(table, reward=form, scorer=name) for form in FORMS}
        shares = {agent: {form: closed(true[form], told[form], agent) for form in FORMS} for agent in ROUTERS}
        found = separated(right, scores, outcomes.query_contexts[rows], outcomes.contexts)
        result[name] = rounded(found | {"closed": shares})
    _show(result)
    print(f"wrote {save('without_labels', outcomes, result)}")


def _show(result: dict[str, Any]) -> None:
    columns = [f"{agent}, {form}" for agent in ROUTERS for form in FORMS]
    shown = Table("score", "AUC", "within a query", "best of all", *columns)
    for name, found in result.items():
        numbers = (f"{found[key]:.2f}" for key in ("auc", "right_over_wrong", "best_of_all"))
        shares = (f"{found['closed'][agent][form]:.0%}" for agent in ROUTERS for form in FORMS)
        shown.add_row(name, *numbers, *shares)
    Console().print(shown)


if __name__ == "__main__":
    typer.run(main)
