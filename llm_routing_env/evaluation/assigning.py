"""Assign a batch of queries to LLMs at once, under a budget in all or for an accuracy that is aimed at.

OptLLM (Liu et al. 2024, arXiv 2405.15130): accuracies are predicted, and of all assignments those are found of which
none is as cheap and more accurate. `agents/parts/hull.py` says how, and `agents/hull_router.py` who predicts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from llm_routing_env.agents import AGENTS, Agent, agent_class
from llm_routing_env.agents.hull_router import METHODS
from llm_routing_env.agents.parts.destroy_repair import destroy_and_repair
from llm_routing_env.agents.parts.hull import supported_front
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.whole import require_whole
from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.evaluation.router import Router
from llm_routing_env.evaluation.sessions import Floats, Ints
from llm_routing_env.evaluation.train import train

COSTS = ("mean", "recorded")


@dataclass(frozen=True, eq=False)
class Batch:
    """Queries that are to be assigned, and what is expected of each LLM on them.

    Attributes:
        problem: What is routed.
        queries: Their places in the table, shape (queries,).
        accuracy: Expected, in [0, 1], shape (queries, LLMs); -1 where an LLM cannot be asked.
        cost_usd: Expected, shape (queries, LLMs); infinite where an LLM cannot be asked.
    """

    problem: RoutingProblem
    queries: Ints
    accuracy: Floats
    cost_usd: Floats


@dataclass(frozen=True, eq=False)
class Assignment:
    """Who is asked each query of a batch.

    Attributes:
        batch: The queries.
        llms: The LLM of each, shape (queries,).
        front_usd: Summed cost of each assignment that there was to choose from, rising, shape (assignments,).
        front_accuracy: Mean expected accuracy of each, shape (assignments,).
    """

    batch: Batch
    llms: Ints
    front_usd: Floats
    front_accuracy: Floats

    @property
    def accuracy(self) -> Floats:
        """Expected accuracy of each query, shape (queries,)."""
        return np.asarray(self.batch.accuracy[np.arange(len(self.llms)), self.llms])

    @property
    def cost_usd(self) -> Floats:
        """Expected cost of each query, shape (queries,)."""
        return np.asarray(self.batch.cost_usd[np.arange(len(self.llms)), self.llms])

    @property
    def recorded(self) -> dict[str, float]:
        """What the table knows came of it: mean accuracy, and cost in all."""
        cells, rows = self.batch.problem.cells, (self.batch.queries, self.llms)
        means = {"accuracy": cells.accuracy[rows].mean(), "cost_usd": cells.cost_usd[rows].mean(axis=1).sum()}
        return {name: float(value) for name, value in means.items()}


def make_batch(
    agent: str | Router,
    *,
    parameters: Mapping[str, Any] | None = None,
    costs: str = "mean",
    split: str = "test",
    seed: int = 0,
    **problem: Any,
) -> Batch:
    """Let an agent predict accuracies, and put the LLMs' costs beside them.

    Args:
        agent: A registered name, which is fitted on the train split first; or a router as it stands.
        parameters: Hyperparameters of an agent that is named.
        costs: "mean": what each LLM costs on average of the train split; "recorded": what the table says of each query,
            as if it were known before.
        split: Whose queries.
        seed: Of the agent.
        problem: Arguments of `PickLLMEnv`: table, scorer.

    Raises:
        ValueError: For an agent that predicts no accuracies, queries that it was fitted on, or costs not known.
    """
    router = agent if isinstance(agent, Router) else None
    name = router.learned.agent if router else str(agent)
    _require_predicting(name)
    require_whole("seed", seed, 0)
    if costs not in COSTS:
        raise unknown_name("costs", costs, COSTS)
    # Whatever answers are worth: a router takes none but the reward that it learned, and no other needs any.
    problem |= router.learned.reward if router else {"form": "additive", "weights": (1.0, 0.0, 0.0)}
    problem["reward"] = problem.pop("form")
    if router:
        problem["scorer"] = problem.get("scorer") or router.learned.scorer
    fitted = None if router else train(name, seed=seed, parameters=parameters, **problem).agent
    observation = router.observation if router else fitted.observation  # type: ignore[union-attr]
    faced = RoutingProblem(**problem, split=split, observation=observation)
    known = router.learned.table["sha256"] if router else faced.table.sha256
    if split != "test" and known == faced.table.sha256:
        raise ValueError(
            f"{name} is fitted on the train split of {faced.table.name}, so it can only assign the test split: give "
            f"split='test', not {split!r}."
        )
    return _batch(faced, router.learner(faced) if router else fitted, costs)


def _batch(problem: RoutingProblem, agent: Any, costs: str) -> Batch:
    queries, cells = problem.queries_of(MIXED), problem.cells
    mean = np.array([llm.expected_cost_usd for llm in problem.task.llms], dtype=np.float64)
    cost_usd = cells.cost_usd[queries].mean(axis=2) if costs == "recorded" else np.tile(mean, (len(queries), 1))
    can_be_asked = cells.available[queries]
    if np.isnan(cost_usd[can_be_asked]).any():
        raise ValueError(f"The table {problem.table.name} lacks costs: nothing can be assigned by them.")
    accuracy = np.clip(agent.predicted_accuracy(problem.observations[queries]), 0.0, 1.0)
    return Batch(problem, queries, np.where(can_be_asked, accuracy, -1.0), np.where(can_be_asked, cost_usd, np.inf))


def assign(
    batch: Batch, *, budget_usd: float | None = None, accuracy: float | None = None, method: str = "hull"
) -> Assignment:
    """Return the most accurate assignment within a budget, or the cheapest one of an accuracy, as expected.

    Args:
        batch: The queries.
        budget_usd: What all of them may cost.
        accuracy: Mean accuracy of all of them; this, or the budget.
        method: "hull": exact, but for a query's difference; "search": the paper's, of some twenty assignments.

    Raises:
        ValueError: For a budget or an accuracy that no assignment has; both, or neither.
    """
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    if (budget_usd is None) == (accuracy is None):
        raise ValueError("Give what the queries may cost, --budget-usd, or how many are to be right, --accuracy: one.")
    for name, value in (("budget_usd", budget_usd), ("accuracy", accuracy)):
        if value is not None and not 0 <= value < np.inf:
            raise ValueError(f"{name} must be a finite number of 0 or more, got {value!r}.")
    n_queries = len(batch.queries)
    if method == "search":
        if not np.isfinite(batch.cost_usd).all():
            raise ValueError('method "search" takes no table that lacks outcomes: leave it out.')
        found = destroy_and_repair(batch.accuracy, batch.cost_usd)
        costs, right = np.array([(solution.cost_usd, solution.accuracy / n_queries) for solution in found]).T
        place = _place(costs, right, n_queries, budget_usd, accuracy)
        return Assignment(batch, found[place].assigned, costs, right)
    front = supported_front(batch.accuracy, batch.cost_usd)
    right = front.accuracy / n_queries
    place = _place(front.cost_usd, right, n_queries, budget_usd, accuracy)
    return Assignment(batch, front.assignment(place), front.cost_usd, right)


def _place(cost_usd: Floats, right: Floats, n_queries: int, budget_usd: float | None, accuracy: float | None) -> int:
    """Return the place of what is wanted on a front."""
    if budget_usd is not None:
        place = int(np.searchsorted(cost_usd, budget_usd * (1 + 1e-12), side="right")) - 1
        if place < 0:
            raise ValueError(
                f"budget_usd must be at least {cost_usd[0]:.4g}, what {n_queries} queries cost with the cheapest LLM "
                f"for each, got {budget_usd:g}."
            )
        return place
    assert accuracy is not None
    place = int(np.searchsorted(right, accuracy - 1e-12))
    if place == len(right):
        raise ValueError(
            f"accuracy must be at most {right[-1]:.4g}, what is expected with the most accurate LLM for each query, "
            f"got {accuracy:g}."
        )
    return place


def _require_predicting(name: str) -> None:
    predicting = [known for known in AGENTS if _predicts(agent_class(known))]
    if name not in predicting:
        raise unknown_name("agent that predicts accuracies", name, predicting)


def _predicts(kind: type[Agent]) -> bool:
    return hasattr(kind, "predicted_accuracy")
