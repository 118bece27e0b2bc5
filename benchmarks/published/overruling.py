"""FrugalGPT's OVERRULING (arXiv 2305.05176): `cascade` beside GPT-4, asked in `PickLLM-Multi-v0`.

    python benchmarks/published/overruling.py overruling.parquet

The file has 2,160 sentences and the answers, scores and costs of twelve LLMs of 2023: FrugalGPT's data, as
`datasets/text_classification/overruling.csv` in the git history of https://github.com/superyue72/OptLLM has them.
Half of the sentences are for training. What FrugalGPT's scorer, a fine-tuned DistilBERT, reads from sentence and
answer, a linear model says here of the embedding, given the answer; `cascade` sees it as a measure. Cascades are
fitted under several weights of cost; the saving is read off their curve on the other half where that reaches GPT-4's
accuracy.
"""

import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow.parquet as pq
import typer
from recomputed import Row, checked, publish

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.parts.asking_agent import RIDGES
from llm_routing_env.agents.parts.linear_model import predictions_left_out, ridge_regression, with_intercept
from llm_routing_env.envs import PickLLMMultiVectorEnv
from llm_routing_env.envs.asking_table import asking_table
from llm_routing_env.observations.embedding_model import MINILM, encode
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

SHA256 = "72cf2fe744ee7b71987f029ff109073e4501453caad7b3b3a257d810b1d9efe5"
SINGLE = {"gpt-4": (0.9505, 19.33), "text-davinci-002": (0.9486, 12.67), "gpt-3.5-turbo": (0.9037, 1.29)}
ORACLE, BEST = 0.9991, "gpt-4"
SAVED = 0.733  # of GPT-4's cost, at its accuracy; the paper's table 3 as it is quoted, $9.7 to $2.6
COST_WEIGHTS = (0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01, 0.005)


def main(
    sentences: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="overruling.parquet.")],
    seeds: Annotated[int, typer.Option(min=1, help="Draws of the half to train on.")] = 5,
) -> None:
    """Recompute what the cascade saves at GPT-4's accuracy."""
    data = pq.read_table(io.BytesIO(checked(sentences, SHA256))).to_pydict()
    llms = [name.removesuffix("_cost") for name in data if name.endswith("_cost")]
    right, cost_usd = (np.array([data[llm + end] for llm in llms], dtype=np.float64).T for end in ("", "_cost"))
    rows = [
        row
        for llm, (accuracy, usd) in SINGLE.items()
        for row in (
            Row.near(f"{llm}: accuracy", accuracy, float(right[:, llms.index(llm)].mean()), 5e-5),
            Row.near(f"{llm}: USD in all", usd, float(cost_usd[:, llms.index(llm)].sum()), 0.01),
        )
    ]
    rows.append(Row.near("any LLM right", ORACLE, float(right.max(axis=1).mean()), 5e-5))
    seen = encode([text.partition("Context: ")[2] for text in data["content"]], MINILM).astype(np.float64)
    saved = [saving(data, llms, seen, seed) for seed in range(seeds)]
    rows.append(Row("cascade: share of GPT-4's cost saved at its accuracy", SAVED, float(np.mean(saved)), low=SAVED))
    rows += [
        Row(f"... on {which} half of {seeds}", None, value)
        for which, value in (("the worst", min(saved)), ("the best", max(saved)))
    ]
    publish("overruling", "FrugalGPT on OVERRULING", rows, (SHA256,))


def saving(data: dict[str, Any], llms: list[str], seen: Any, seed: int) -> float:
    """Return the share of GPT-4's cost that the cascades save on the half that they are not fitted on, at its accuracy.

    Args:
        data: Columns of the file.
        llms: The LLMs.
        seen: Embeddings, shape (sentences, size).
        seed: Of the halves.
    """
    train, test = np.array_split(np.random.default_rng(seed).permutation(len(seen)), 2)
    table = table_of(data, llms, checks(data, llms, seen, train), train, test)
    both = np.concatenate([train, test])
    points = [asked(table, seen[both], weight, data[f"{BEST}_cost"]) for weight in COST_WEIGHTS]
    of_best, usd_of_best = (float(np.mean([data[BEST + end][row] for row in test])) for end in ("", "_cost"))
    return 1 - cost_at(points, of_best) / usd_of_best


def asked(table: OutcomeTable, seen: Any, weight: float, best_usd: list[float]) -> tuple[float, float]:
    """Fit a cascade under a weight of cost; return mean cost and accuracy on the test split."""
    n_queries = len(table.select(None, "test"))
    options = {"observation": seen, "measures": ("check",), "n_queries": n_queries}
    options |= {"weights": (1.0, weight, 0.0), "cost_scale_usd": float(np.mean(best_usd))}
    env = PickLLMMultiVectorEnv(1, table=table, **options)
    agent = make_agent("cascade", env.task, n_sessions=1, seed=0, observation=env.task.observation)
    agent.fit(asking_table(env.problem, ("check",)))
    observation, _ = env.reset(seed=0)
    right, usd, done = 0.0, 0.0, 0
    while done < n_queries:
        observation, _, _, _, infos = env.step(agent.select_action(observation))
        if infos["query_done"][0]:
            done, right, usd = done + 1, right + infos["accuracy"][0], usd + infos["cost_usd"][0]
    return usd / n_queries, right / n_queries


def cost_at(points: list[tuple[float, float]], accuracy: float) -> float:
    """Return the cost at which a curve reaches an accuracy, NaN: never; between points queries are mixed.

    Args:
        points: Cost and accuracy.
        accuracy: The one to reach.
    """
    before: tuple[float, float] | None = None
    for usd, right in sorted(points):
        if right >= accuracy:
            share = 1.0 if before is None else (accuracy - before[1]) / (right - before[1])
            return usd if before is None else before[0] + share * (usd - before[0])
        if before is None or right > before[1]:
            before = usd, right
    return float("nan")


def checks(data: dict[str, Any], llms: list[str], seen: Any, train: Any) -> Any:
    """Return how probably each answer is right by sentence and answer, shape (sentences, LLMs), within [0, 1].

    The models are fitted on some sentences, and what they say of these comes of models without them.
    """
    found = np.empty((len(seen), len(llms)))
    for place, llm in enumerate(llms):
        says_yes = np.array([str(answer).strip().lower().startswith("yes") for answer in data[f"{llm}_answer"]])
        sign = np.where(says_yes, 1.0, -1.0)[:, None]
        given, right = np.hstack([seen * sign, sign]), np.array(data[llm], dtype=np.float64)[:, None]
        tried = list(predictions_left_out(given[train], right[train], np.arange(len(train)), RIDGES))
        number = int(np.argmin([np.square(left_out - right[train]).mean() for left_out in tried]))
        found[:, place] = (with_intercept(given) @ ridge_regression(given[train], right[train], RIDGES[number]))[:, 0]
        found[train, place] = tried[number][:, 0]
    return np.clip(found, 0.0, 1.0)


def table_of(data: dict[str, Any], llms: list[str], check: Any, train: Any, test: Any) -> OutcomeTable:
    """Return the outcomes on some sentences, in this order, with a measure of each answer."""
    rows = [*((row, "train") for row in train), *((row, "test") for row in test)]
    asked = QuerySet(
        Query(f"{row}", "law", split, data["content"][row], (data["ref_answer"][row],)) for row, split in rows
    )
    records = [
        {
            "query_id": f"{row}",
            "llm": llm,
            "repeat": 0,
            "response": data[f"{llm}_answer"][row] or "",
            "error": None,
            "prompt_tokens": None,
            "completion_tokens": None,
            "cost_usd": data[f"{llm}_cost"][row],
            "latency_s": None,
            "accuracy_recorded": float(data[llm][row]),
            "measure_check": float(check[row, place]),
        }
        for row, _ in rows
        for place, llm in enumerate(llms)
    ]
    return OutcomeTable.from_records(asked, llms, records, {})


if __name__ == "__main__":
    typer.run(main)
