"""ParetoBandit's seven budgets (arXiv 2604.00136), with its own recorded outcomes and `budget_pacer`.

    pip download --no-deps paretobandit && unzip -d paretobandit paretobandit-*.whl
    python benchmarks/published/paretobandit.py paretobandit/pareto_bandit/data/examples

The package has 1,785 queries to learn on (val) and 1,824 to be judged on while learning goes on (test_holdout), each
with reward and cost of three LLMs. As in the paper budgets are seven, evenly in the logarithm between the mean costs of
the cheapest and the dearest LLM on val; queries are seen as 25 principal components of their embeddings. "cold" starts
with nothing, "warm" from every LLM's outcome on val (as a log in which each was asked each query).
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.agents import LoggedData, RoutingTask, make_agent
from llm_routing_env.observations.embedding_model import encode

SHA256 = {
    "val.jsonl": "9590556ee832bb8e27b0e838eb4fd6b656e69e39c99ef067fc6379abc7f168ef",
    "test_holdout.jsonl": "b2f7e0e034902d254b3620770d98824cb932ad9cbecd38b9ce00345620a70665",
}
PUBLISHED = (0.7932, 0.8128, 0.8588, 0.8978, 0.9172, 0.9244, 0.9290)  # its pacer, 20 seeds
N_COMPONENTS = 25


def main(folder: Path, n_seeds: int = 3) -> None:
    """Print reward and spending of both starts at each budget, beside what was published."""
    (seen_val, rewards_val, costs_val), (seen, rewards, costs) = load(folder)
    budgets = np.geomspace(costs_val.mean(axis=0).min(), costs_val.mean(axis=0).max(), len(PUBLISHED))
    print("fixed LLMs", rewards.mean(axis=0).round(4), "oracle", rewards.max(axis=1).mean().round(4))
    for budget, published in zip(budgets, PUBLISHED, strict=True):
        found = {"cold": [], "warm": []}  # type: dict[str, list[tuple[float, float]]]
        for seed in range(n_seeds):
            for start, of_start in found.items():
                task = task_of(seen_val.shape[1], costs_val.mean(axis=0))
                agent = make_agent("budget_pacer", task, seed=seed, max_usd_per_query=float(budget))
                rng = np.random.default_rng(seed)
                if start == "warm":
                    agent.fit_log(everything(seen_val, rewards_val, costs_val))
                else:
                    route(agent, rng.permutation(len(seen_val)), seen_val, rewards_val, costs_val)
                earned, spent = route(agent, rng.permutation(len(seen)), seen, rewards, costs)
                of_start.append((earned, spent / budget))
        means = {start: np.mean(of_start, axis=0) for start, of_start in found.items()}
        said = ", ".join(f"{start} {reward:.4f} at {of_budget:.2f}" for start, (reward, of_budget) in means.items())
        print(f"{budget:.3e}: published {published:.4f}; {said}", flush=True)


def load(folder: Path) -> list[tuple[Any, Any, Any]]:
    """Return what is seen of the queries, rewards and costs of both files."""
    read = []
    for name, sha256 in SHA256.items():
        data = (folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ValueError(f"{name} is another than what these numbers are of.")
        # Prompts hold other line separators than this one.
        read.append([json.loads(line) for line in data.decode("utf-8").split("\n") if line.strip()])
    llms = list(read[0][0]["arms"])
    vectors = [encode([row["prompt"] for row in rows], "all-MiniLM-L6-v2").astype(np.float64) for rows in read]
    centre = vectors[0].mean(axis=0)
    axes = np.linalg.svd(vectors[0] - centre, full_matrices=False)[2][:N_COMPONENTS].T
    scale = ((vectors[0] - centre) @ axes).std(axis=0) * np.sqrt(N_COMPONENTS)
    return [
        (
            (embedded - centre) @ axes / scale,
            *(np.array([[row["arms"][llm][what] for llm in llms] for row in rows]) for what in ("reward", "cost")),
        )
        for embedded, rows in zip(vectors, read, strict=True)
    ]


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
    main(Path(sys.argv[1]))
