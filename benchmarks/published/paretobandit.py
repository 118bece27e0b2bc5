"""ParetoBandit's fixed LLMs and seven budgets (arXiv 2604.00136), with its own recorded outcomes and `budget_pacer`.

    python benchmarks/published/paretobandit.py [FOLDER]

The folder is `pareto_bandit/data/examples` of PyPI's paretobandit 0.1.1; without one, that of the installed package.
It has 1,785 queries to learn on (val) and 1,824 to be judged on while learning goes on (test_holdout), each with
reward and cost of three LLMs. As in the paper budgets are seven, evenly in the logarithm between the mean costs of
the cheapest and the dearest LLM on val; queries are seen as 25 principal components of their embeddings. "cold"
starts with nothing, "warm" from every LLM's outcome on val (as a log in which each was asked each query). The pacer
may do better than the published one, and must not spend above the budget by more than 1 %.
"""

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from recomputed import Row, checked, publish, refused

from llm_routing_env.agents import LoggedData, RoutingTask, make_agent
from llm_routing_env.importing.production import INSTALL, PACKAGE, SHA256, SOURCES
from llm_routing_env.observations.embedding_model import MINILM, encode

FIXED = {"llama-3.1-8b": (0.7931, 2.858e-5), "mistral-large": (0.9231, 5.268e-4), "gemini-2.5-pro": (0.9322, 1.5156e-2)}
ORACLE = 0.9633
# Its pacer, 20 seeds: reward, and spending over the budget.
PACER = ((0.7932, 0.98), (0.8128, 1.0), (0.8588, 1.0), (0.8978, 0.98), (0.9172, 0.91), (0.9244, 0.89), (0.9290, 0.74))
BUDGETS_USD = (2.929e-5, 8.288e-5, 2.345e-4, 6.637e-4, 1.878e-3, 5.314e-3, 1.5037e-2)
SLACK = 2e-4  # of reward
N_COMPONENTS = 25


def main(
    folder: Annotated[Path | None, typer.Argument(exists=True, file_okay=False, help="The package's examples.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Orders of the queries.")] = 3,
) -> None:
    """Recompute the fixed LLMs, and both starts at each budget."""
    val, holdout = (read(folder or installed(), split) for split in ("train", "test"))
    least, most = np.sort(val["cost"].mean(axis=0))[[0, -1]]
    budgets = np.geomspace(least, most, len(PACER))
    rows = [*fixed_rows(holdout), *budget_rows(budgets)]
    seen = components(val["prompt"], holdout["prompt"])
    for number, (budget, (reward, share)) in enumerate(zip(budgets, PACER, strict=True), start=1):
        for start in ("cold", "warm"):
            runs = [paced(start, seed, float(budget), (seen[0], val), (seen[1], holdout)) for seed in range(seeds)]
            earned, spent = np.mean(runs, axis=0)
            rows.append(Row(f"budget {number}, {start}: reward", reward, float(earned), low=reward - SLACK))
            rows.append(Row(f"budget {number}, {start}: spent / budget", share, float(spent / budget), high=1.01))
    publish("paretobandit", "ParetoBandit: fixed LLMs and seven budgets", rows, SHA256.values())


def installed() -> Path:
    """Return the folder of the installed package, or end with one line."""
    try:
        return Path(str(distribution(PACKAGE).locate_file(SOURCES["train"]))).parent
    except PackageNotFoundError:
        raise refused(f"{PACKAGE} is not installed: {INSTALL}, or give the folder of its examples.") from None


def read(folder: Path, split: str) -> dict[str, Any]:
    """Return prompts, and rewards and costs of shape (queries, LLMs)."""
    path = folder / Path(SOURCES[split]).name
    if not path.is_file():
        raise refused(f"{folder} must have {path.name}, and has not: give pareto_bandit/data/examples.")
    # Prompts hold other line separators than this one.
    rows = [json.loads(line) for line in checked(path, SHA256[split]).decode().split("\n") if line.strip()]
    llms = list(rows[0]["arms"])
    of_llms = {
        what: np.array([[row["arms"][llm][what] for llm in llms] for row in rows]) for what in ("reward", "cost")
    }
    return {"prompt": [row["prompt"] for row in rows], **of_llms}


def fixed_rows(holdout: dict[str, Any]) -> list[Row]:
    """Return what each LLM earns and costs, and the oracle, all to the digits that were published."""
    rows = [
        row
        for (llm, (reward, cost_usd)), earned, spent in zip(
            FIXED.items(), holdout["reward"].mean(axis=0), holdout["cost"].mean(axis=0), strict=True
        )
        for row in (
            Row.near(f"{llm}: reward", reward, float(earned), 5e-5),
            Row.near(f"{llm}: USD per query", cost_usd, float(spent), 2e-4 * cost_usd),
        )
    ]
    return [*rows, Row.near("oracle: reward", ORACLE, float(holdout["reward"].max(axis=1).mean()), 5e-5)]


def budget_rows(budgets: Any) -> list[Row]:
    """Return the seven budgets."""
    return [
        Row.near(f"budget {number}, USD per query", told, float(ours), 2e-4 * told)
        for number, (told, ours) in enumerate(zip(BUDGETS_USD, budgets, strict=True), start=1)
    ]


def components(*prompts: list[str]) -> list[Any]:
    """Return what is seen of prompts: principal components of the first ones' embeddings, each of variance 1 / 25."""
    vectors = [encode(texts, MINILM).astype(np.float64) for texts in prompts]
    centre = vectors[0].mean(axis=0)
    axes = np.linalg.svd(vectors[0] - centre, full_matrices=False)[2][:N_COMPONENTS].T
    scale = ((vectors[0] - centre) @ axes).std(axis=0) * np.sqrt(N_COMPONENTS)
    return [(embedded - centre) @ axes / scale for embedded in vectors]


def paced(start: str, seed: int, budget: float, val: Any, holdout: Any) -> tuple[float, float]:
    """Return mean reward and cost on the holdout, learned on val, or from a log of it."""
    seen, outcomes = val
    task, rng = task_of(seen.shape[1], outcomes["cost"].mean(axis=0)), np.random.default_rng(seed)
    agent = make_agent("budget_pacer", task, seed=seed, max_usd_per_query=budget)
    if start == "warm":
        agent.fit_log(everything(seen, outcomes["reward"], outcomes["cost"]))
    else:
        route(agent, rng.permutation(len(seen)), seen, outcomes["reward"], outcomes["cost"])
    seen, outcomes = holdout
    return route(agent, rng.permutation(len(seen)), seen, outcomes["reward"], outcomes["cost"])


def task_of(size: int, costs: Any) -> RoutingTask:
    """Return the task: LLMs by number, with their mean costs on val."""
    names = tuple(f"llm{number}" for number in range(len(costs)))
    return RoutingTask(len(costs), size, names, tuple(costs.tolist()), (0.0, 1.0))


def everything(seen: Any, rewards: Any, costs: Any) -> LoggedData:
    """Return every LLM's outcomes as a log."""
    n_queries, n_llms = rewards.shape
    return LoggedData(
        observations=np.repeat(seen, n_llms, axis=0),
        actions=np.tile(np.arange(n_llms), n_queries),
        rewards=rewards.ravel(),
        propensities=np.full(rewards.size, 1 / n_llms),
        outcomes={"accuracy": rewards.ravel(), "cost_usd": costs.ravel()},
    )


def route(agent: Any, order: Any, seen: Any, rewards: Any, costs: Any) -> tuple[float, float]:
    """Let an agent route the queries in an order; return mean reward and mean cost."""
    earned, spent = [], []
    for query in order:
        action = agent.select_action(seen[query])
        earned.append(rewards[query, action])
        spent.append(costs[query, action])
        outcome = {"accuracy": earned[-1], "cost_usd": spent[-1], "latency_s": 1.0}
        agent.update(seen[query], action, float(earned[-1]), outcome=outcome)
    return float(np.mean(earned)), float(np.mean(spent))


if __name__ == "__main__":
    typer.run(main)
