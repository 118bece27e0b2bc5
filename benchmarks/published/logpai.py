"""OptLLM on LogPai (arXiv 2405.15130): log lines assigned to LLMs by `hull_router`'s predictions and its front.

    python benchmarks/published/logpai.py logpai.parquet

The file has 16 x 2,000 log lines, and of eight LLMs whether the template was right and how many tokens it took:
`datasets/log_parsing` in the git history of https://github.com/superyue72/OptLLM, one row per line. As in the paper 2
% of the lines are labelled, the costs of all are taken as known, and what counts is what the assignments cost that
are as accurate as the best single LLM, and how accurate the best one is, on the other lines. Prices are list prices,
which the files lack, so dollars are not the paper's; lines are seen as 64 components of TF-IDF, and their lengths.
"""

import io
import string
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow.parquet as pq
import typer
from recomputed import Row, checked, publish

from llm_routing_env.agents import RoutingTask, TrainingTable, make_agent
from llm_routing_env.agents.parts.destroy_repair import destroy_and_repair
from llm_routing_env.agents.parts.hull import supported_front

SHA256 = "99f513f4db1e1c32ed27f04d315eb5db6890c2fe98acc64ac69b8658377cd2f9"
USD_PER_MTOK = {
    "j2_mid": 10.0,
    "j2_ultra": 15.0,
    "Nous_Mixtral": 0.6,
    "Nous_llama7b": 0.2,
    "Nous_llama13b": 0.225,
    "Nous_llama70b": 0.9,
    "Yi_34B": 0.8,
    "Yi_6B": 0.14,
}
# Published: the best single LLM's accuracy, the share of its cost that is saved at that accuracy, the best accuracy.
BEST_SINGLE, SAVED, BEST = ("Nous_Mixtral", 0.59), 0.4918, 0.71
LABELLED = 0.02
N_BY_SEARCH = 1_000  # lines that the paper's own search is tried on


def main(
    lines: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="logpai.parquet.")],
    seeds: Annotated[int, typer.Option(min=1, help="Draws of the lines that are labelled.")] = 5,
) -> None:
    """Recompute what is saved at the best LLM's accuracy."""
    columns = pq.read_table(io.BytesIO(checked(lines, SHA256))).to_pydict()
    right = np.array([columns[f"right_{llm}"] for llm in USD_PER_MTOK], dtype=np.float64).T
    tokens = np.array([columns[f"tokens_{llm}"] for llm in USD_PER_MTOK], dtype=np.float64).T
    cost_usd = tokens * np.array(list(USD_PER_MTOK.values())) / 1e6
    name, published = BEST_SINGLE
    best = list(USD_PER_MTOK).index(name)
    rows = [Row.near(f"{name}, the best single LLM: accuracy", published, float(right[:, best].mean()), 0.005)]
    seen = features(columns["content"])
    found = [assigned(seen, right, cost_usd, best, seed) for seed in range(seeds)]
    saved, reached, below, above = np.array(found).T
    rows += [
        Row("share of its cost saved at its accuracy", SAVED, float(saved.mean()), low=SAVED),
        Row("best accuracy on the front", BEST, float(reached.mean()), low=BEST),
        Row("the search below the hull, at most (predicted accuracy)", 0.0, float(below.max()), high=1 / N_BY_SEARCH),
        Row("the search above the hull, at most", 0.0, float(above.max()), high=1e-9),
    ]
    publish("logpai", "OptLLM on LogPai", rows, (SHA256,))


def features(texts: list[str]) -> Any:
    """Return what is seen of log lines, shape (lines, 70)."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(token_pattern=r"[A-Za-z]+|\d|\S", sublinear_tf=True, min_df=5).fit_transform(texts)
    parts = TruncatedSVD(64, random_state=0).fit_transform(words)
    parts /= np.linalg.norm(parts, axis=1, keepdims=True) + 1e-9
    sizes = np.log1p([_sizes(text) for text in texts])
    return np.hstack([parts, (sizes - sizes.mean(axis=0)) / sizes.std(axis=0) / 10])


def _sizes(text: str) -> tuple[int, ...]:
    words = text.split()
    kinds = sum(sign.isdigit() for sign in text), sum(sign in string.punctuation for sign in text)
    return len(words), len(set(words)), len(text), *kinds, max(map(len, words), default=0)


def assigned(seen: Any, right: Any, cost_usd: Any, best: int, seed: int) -> tuple[float, float, float, float]:
    """Label some lines and assign the others.

    Returns:
        The share of the best LLM's cost that is saved at its accuracy (NaN: no assignment reaches it), the best
        accuracy, and how far the paper's search lies below and above the front at its own costs, at most.
    """
    order = np.random.default_rng(seed).permutation(len(seen))
    labelled, others = np.split(order, [round(LABELLED * len(seen))])
    predicted = predictions(seen, right, cost_usd, labelled, others, seed)
    front, costs, truth = supported_front(predicted, cost_usd[others]), cost_usd[others], right[others]
    gains = truth[front.query, front.after] - truth[front.query, front.before]
    accuracy = (truth[np.arange(len(truth)), front.start].sum() + np.append(0.0, gains.cumsum())) / len(truth)
    enough = np.flatnonzero(accuracy >= truth[:, best].mean())
    saved = 1 - front.cost_usd[enough[0]] / costs[:, best].sum() if len(enough) else np.nan
    part = slice(N_BY_SEARCH)
    exact = supported_front(predicted[part], costs[part])
    missing = [
        (np.interp(one.cost_usd, exact.cost_usd, exact.accuracy) - one.accuracy) / N_BY_SEARCH
        for one in destroy_and_repair(predicted[part], costs[part])
    ]
    return float(saved), float(accuracy.max()), max(missing), max(0.0, -min(missing))


def predictions(seen: Any, right: Any, cost_usd: Any, labelled: Any, others: Any, seed: int) -> Any:
    """Return how probably each LLM is right on the other lines, by a router fitted on the labelled ones."""
    names, n_llms = tuple(USD_PER_MTOK), right.shape[1]
    task = RoutingTask(n_llms, seen.shape[1], names, tuple(cost_usd[labelled].mean(axis=0).tolist()), (0.0, 1.0))
    router = make_agent("hull_router", task, seed=seed)
    values = right[labelled]
    unknown = np.full(values.shape, np.nan)
    router.fit(TrainingTable(seen[labelled], values, values, cost_usd[labelled], unknown))
    return router.predicted_accuracy(seen[others])


if __name__ == "__main__":
    typer.run(main)
