"""Which LLMs sessions end with as the reward's weights move.

    python benchmarks/weights.py [--table nano]

The automaton's mean probability of each LLM at the end of its sessions, over all contexts: for the cost weight under
both reward forms, for the latency weight under the additive form (in the ratio it only rescales).
"""

from typing import Annotated

import numpy as np
import typer
from results_file import save
from rich.console import Console
from rich.table import Table

from llm_routing_env.evaluation import compare
from llm_routing_env.tables.load import load_table

AGENT = "learning_automaton"
SETTINGS = (
    *(("pickllm", (1.0, w, 0.5)) for w in (0.0, 0.5, 1.0, 3.0)),
    *(("additive", (1.0, w, 0.5)) for w in (0.0, 0.5, 1.0, 3.0)),
    *(("additive", (1.0, 0.5, w)) for w in (0.0, 0.25, 1.0, 3.0)),
)


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path.")] = "nano",
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 100,
    seed: int = 0,
) -> None:
    """Run the automaton under every setting."""
    outcomes = load_table(table)
    shown = Table("reward", "w_a, w_c, w_l", *outcomes.llm_names, "accuracy", "cost/session", "latency")
    rows = []
    for form, weights in SETTINGS:
        result = compare([AGENT], n_sessions=sessions, seed=seed, table=table, reward=form, weights=weights)
        final = np.mean([log.final_probabilities.mean(axis=0) for log in result.logs[AGENT].values()], axis=0)
        means = {
            name: result.metrics[AGENT]["all"][name]["mean"] for name in ("accuracy", "session_cost_usd", "latency_s")
        }
        shares = dict(zip(outcomes.llm_names, final.tolist(), strict=True))
        rows.append({"reward_form": form, "weights": weights, "final_share": shares, **means})
        shown.add_row(
            form,
            ", ".join(f"{weight:g}" for weight in weights),
            *(f"{share:.0%}" for share in final),
            f"{means['accuracy']:.3f}",
            f"${means['session_cost_usd']:.2e}",
            f"{1000 * means['latency_s']:.1f} ms",
        )
    Console().print(shown)
    print(f"wrote {save('weights', outcomes, rows)}")


if __name__ == "__main__":
    typer.run(main)
