"""Two-LLM cascades of "Rational Tuning of LLM Cascades" (arXiv 2501.09345), asked in `PickLLM-Multi-v0`.

    python benchmarks/published/cascades.py cascades9.parquet cascades_auc.json

The first file has the outcomes of https://github.com/mzelling/rational-llm-cascades, one row per query and LLM; the
second its `experiments/data/cascade_comparison_records.pkl`, what it got by grid search for each benchmark and pair
of LLMs, as JSON. As there, an answer is accepted if its confidence is above a quantile of the LLM's on the train
split, a call costs what the LLM's calls cost on average of the test split, at list prices, and the number is the area
under accuracy over cost (in dollars per million queries) between two costs. gsm8k is left out: its test split is not
in the files.
"""

import io
import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow.parquet as pq
import typer
from recomputed import Row, checked, publish

from llm_routing_env.agents.parts.ask_view import AskView
from llm_routing_env.envs import PickLLMMultiVectorEnv
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

OUTCOMES = "b820d4b322e220f2ee4b562a62f66e64e2526514b7da8965bccefbd78afe5c0f"
RECORDS = "65d664ea19fd33f60a13af9c3262f504a62cc60f416b6f736884f82a57f47bbe"
USD_PER_MTOK = {
    "llama3.2-1b": 0.1,
    "llama3.2-3b": 0.1,
    "llama3.1-8b": 0.2,
    "llama3.1-70b": 0.9,
    "llama3.1-405b": 3.0,
}
BENCHMARKS = ("mmlu", "medmcqa", "truthfulqa", "triviaqa")
QUANTILES = np.arange(0.01, 0.99, 0.025)
EXACT, BY_LOST_CONFIDENCES = 1e-3, 0.05  # relative; on triviaqa the 1b's answers lack some, which were -inf


def main(
    outcomes: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="cascades9.parquet.")],
    records: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="cascades_auc.json.")],
) -> None:
    """Recompute the area under each cascade's curve."""
    rows = pq.read_table(io.BytesIO(checked(outcomes, OUTCOMES))).to_pylist()
    published = json.loads(checked(records, RECORDS))["records"]
    llms, found = list(USD_PER_MTOK), []
    for benchmark in BENCHMARKS:
        ours = [row for row in rows if row["context"] == benchmark and row["model"] in USD_PER_MTOK]
        table = table_of(ours)
        confidence = confidences(ours, table)
        for record in (record for record in published if record["benchmark"] == benchmark):
            small, large = record["cascade"]
            points = cascade_points(table, confidence[:, small], small, large)
            names = f"{llms[small].split('-')[1]} to {llms[large].split('-')[1]}"
            is_lossy = benchmark == "triviaqa" and small == 0
            within = record["performance"] * (BY_LOST_CONFIDENCES if is_lossy else EXACT)
            area = area_under(*points, *record["auc_bounds"])
            found.append(Row.near(f"{benchmark}, {names}", record["performance"], area, within))
    publish("cascades", "Area under accuracy over cost of two-LLM cascades", found, (OUTCOMES, RECORDS))


def table_of(rows: list[dict[str, Any]]) -> OutcomeTable:
    """Return one benchmark's outcomes, where a call costs what the LLM's do on average of the test split."""
    asked = {
        row["query_id"]: Query(row["query_id"], row["context"], split_of(row), row["prompt"], (row["reference"] or "",))
        for row in rows
    }
    tokens: dict[str, list[int]] = {llm: [] for llm in USD_PER_MTOK}
    for row in rows:
        if split_of(row) == "test":
            tokens[row["model"]].append(row["prompt_tokens"] + row["completion_tokens"])
    cost_usd = {llm: float(np.mean(tokens[llm])) * price / 1e6 for llm, price in USD_PER_MTOK.items()}
    records = [
        {
            "query_id": row["query_id"],
            "llm": row["model"],
            "repeat": 0,
            "response": row["response"],
            "error": None,
            "prompt_tokens": row["prompt_tokens"],
            "completion_tokens": row["completion_tokens"],
            "cost_usd": cost_usd[row["model"]],
            "latency_s": row["latency_s"],
            "accuracy_recorded": row["score"],
        }
        for row in rows
    ]
    return OutcomeTable.from_records(QuerySet(asked.values()), USD_PER_MTOK, records, {})


def split_of(row: dict[str, Any]) -> str:
    """Return a row's split, which is in its id."""
    return "train" if "-train-" in row["query_id"] else "test"


def confidences(rows: list[dict[str, Any]], table: OutcomeTable) -> np.ndarray:
    """Return the logarithm of each answer's probability, NaN where it is not known; shape (queries, LLMs)."""
    known = {(row["query_id"], row["model"]): row["confidence"] for row in rows}
    return np.array([[known[query, llm] for llm in table.llm_names] for query in table.query_ids], dtype=np.float64)


def cascade_points(
    table: OutcomeTable, confidence: np.ndarray, small: int, large: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ask every query of the test split once per threshold; return dollars per million queries, rising, and accuracy.

    Args:
        table: Outcomes.
        confidence: Of the small LLM's answers, shape (queries,).
        small: Number of the LLM that is asked first.
        large: Number of the one that is asked where that is not sure enough.
    """
    n_queries, of_train = len(table.select(None, "test")), confidence[table.select(None, "train")]
    thresholds = np.quantile(of_train[~np.isnan(of_train)], QUANTILES)
    options = {"observation": "none", "n_queries": n_queries, "weights": (1.0, 0.0, 0.0)}
    env = PickLLMMultiVectorEnv(len(QUANTILES), table=table, **options)
    observation, _ = env.reset(seed=list(range(len(QUANTILES))))
    cost_usd, right, done = np.zeros((3, len(QUANTILES)))
    while (done < n_queries).any():
        asked = AskView(observation, table.n_llms).order
        accepts = confidence[env.waiting_cells // table.n_llms] > thresholds
        goes_on = (asked[:, small] > 0) & ~accepts
        # To name an LLM again accepts its answer.
        observation, reward, _, _, infos = env.step(np.where(goes_on, large, small))
        is_done = infos["query_done"] & (done < n_queries)  # sessions that ended first have begun again
        done += is_done
        cost_usd += np.where(is_done, infos["cost_usd"], 0.0)
        right += np.where(is_done, reward, 0.0)
    order = np.argsort(cost_usd, kind="stable")
    return cost_usd[order] / n_queries * 1e6, right[order] / n_queries


def area_under(cost: np.ndarray, accuracy: np.ndarray, low: float, high: float) -> float:
    """Return the area under the line through some points between two costs; beyond the points the line is level."""
    corners = np.concatenate([[low], cost[(cost > low) & (cost < high)], [high]])
    return float(np.trapezoid(np.interp(corners, cost, accuracy), corners))


if __name__ == "__main__":
    typer.run(main)
