"""How well each scorer separates right answers from wrong ones, by context.

    python benchmarks/scorers.py [--table nano]

Right means: the canonical reference is the last thing said (`final_answer`), which is how the nano tasks define it.
AUC is the probability that a right answer scores above a wrong one (ties count half).
"""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import typer
from results_file import save
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from llm_routing_env.rewards.reference_free import REFERENCE_FREE
from llm_routing_env.rewards.scorers import cosine
from llm_routing_env.tables.load import load_table


def aucs(right: np.ndarray, scores: np.ndarray, groups: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the AUC of scores (queries, LLMs) in each group of queries, which has right and wrong answers."""
    return {
        name: float(roc_auc_score(right[queries].ravel(), scores[queries].ravel())) for name, queries in groups.items()
    }


def main(table: Annotated[str, typer.Option(help="Shipped table's name, or a path.")] = "nano") -> None:
    """Compute the AUC of every scorer, of cosine with one reference instead of several, and of those that need none."""
    outcomes = load_table(table)
    right = outcomes.accuracy("final_answer")[:, :, 0]
    scores = {name: outcomes.accuracy(name)[:, :, 0] for name in outcomes.scorers if name != "final_answer"}
    for position, name in ((0, "cosine, terse reference only"), (-1, "cosine, sentence reference only")):
        responses = [outcomes.text("response", query, llm, 0) or "" for query, llm in np.ndindex(right.shape)]
        references = [(query.references[position],) for query in outcomes.queries for _ in outcomes.llm_names]
        scores[name] = cosine(responses, references).reshape(right.shape)
    scores |= {name: score(outcomes)[:, :, 0] for name, score in REFERENCE_FREE.items()}
    contexts = {"all": np.arange(outcomes.n_queries)} | {c: outcomes.select(c, "all") for c in outcomes.contexts}
    result = {name: aucs(right, values, contexts) for name, values in scores.items()}
    shown = Table("scorer", *contexts)
    for name, by_context in result.items():
        shown.add_row(name, *(f"{value:.3f}" for value in by_context.values()))
    Console().print(shown)
    print(f"wrote {save('scorers', outcomes, result)}")


if __name__ == "__main__":
    typer.run(main)
