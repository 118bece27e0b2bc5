"""FrugalGPT's OVERRULING (arXiv 2305.05176): `cascade` beside GPT-4, asked in `PickLLM-Multi-v0`.

    python benchmarks/published/overruling.py overruling.parquet

The file has 2,160 sentences and the answers, scores and costs of twelve LLMs of 2023: FrugalGPT's data, as
`datasets/text_classification/overruling.csv` in the git history of https://github.com/superyue72/OptLLM has them. Half of
the sentences are for training. What FrugalGPT's scorer, a fine-tuned DistilBERT, reads from sentence and answer, a linear
model says here of the embedding, given the answer; `cascade` sees it as a measure. How much cost weighs is chosen on the
training half, by two-fold cross-validation: as much as leaves the accuracy at GPT-4's.
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
SAVED = 0.733  # of GPT-4's cost, at its accuracy or better
COST_WEIGHTS = (0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005)


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
    gained, saved = np.mean([saving(data, llms, seen, seed) for seed in range(seeds)], axis=0)
    rows.append(Row("cascade: accuracy above GPT-4's", 0.0, float(gained), low=-0.005))
    rows.append(Row("cascade: share of GPT-4's cost saved", SAVED, float(saved), low=SAVED))
    publish("overruling", "FrugalGPT on OVERRULING", rows, (SHA256,))


def saving(data: dict[str, Any], llms: list[str], seen: Any, seed: int) -> tuple[float, float]:
    """Return by how much the cascade is more often right than GPT-4 on the test half, and what share of its cost it saves.

    Args:
        data: Columns of the file.
        llms: The LLMs.
        seen: Embeddings, shape (sentences, size).
        seed: Of the halves.
    """
    halves = np.array_split(np.random.default_rng(seed).permutation(len(seen)), 2)
    parts = np.array_split(halves[0], 2)
    for weight in COST_WEIGHTS:
        if np.mean([routed(data, llms, seen, weight, *pair)[0] for pair in (parts, parts[::-1])]) >= 0:
            break
    return routed(data, llms, seen, weight, *halves)


def routed(data: dict[str, Any], llms: list[str], seen: Any, weight: float, train: Any, test: Any) -> tuple[float, float]:
    """Fit on some sentences and ask others; return what `saving` does."""
    chosen = np.concatenate([train, test])
    table = table_of(data, llms, checks(data, llms, seen, train), train, test)
    scale = float(np.mean([data[f"{BEST}_cost"][row] for row in chosen]))
    options = {"observation": seen[chosen], "measures": ("check",), "n_queries": len(test)}
    options |= {"weights": (1.0, weight, 0.0), "cost_scale_usd": scale}
    env = PickLLMMultiVectorEnv(1, table=table, **options)
    agent = make_agent("cascade", env.task, n_sessions=1, seed=0, observation=env.task.observation)
    agent.fit(asking_table(env.problem, ("check",)))
    observation, _ = env.reset(seed=0)
    right = usd = done = 0.0
    while done < len(test):
        observation, _, _, _, infos = env.step(agent.select_action(observation))
        if infos["query_done"][0]:
            done, right, usd = done + 1, right + infos["accuracy"][0], usd + infos["cost_usd"][0]
    of_best, usd_of_best = (np.array([data[BEST + end][row] for row in test]) for end in ("", "_cost"))
    return float(right / done - of_best.mean()), float(1 - usd / usd_of_best.sum())


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
    asked = QuerySet(Query(f"{row}", "law", split, data["content"][row], (data["ref_answer"][row],)) for row, split in rows)
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
