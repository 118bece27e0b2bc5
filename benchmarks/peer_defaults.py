"""The defaults of the peers, chosen as everybody's: a declared grid on nano's train split, with the same budget.

    PYTHONPATH=. python benchmarks/peer_defaults.py

They are tried in sessions of 200 queries, as LinUCB is. What is done already lies in `results/blocks`.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from defaults import document, tried
from results_file import file_of, save
from rich.progress import track

from llm_routing_env.tables.load import load_table

BLOCKS = Path(__file__).parents[1] / "results" / "blocks" / "peer_defaults"
GRIDS: dict[str, dict[str, list[Any]]] = {
    "ParetoBandit": {"alpha": [0.01, 0.1, 0.5, 1.0, 2.0], "init_lambda": [0.3, 1.0, 3.0]},
    "VowpalWabbit": {
        "exploration": ["--squarecb", "--epsilon 0.02", "--epsilon 0.05", "--epsilon 0.1", "--bag 5"],
        "options": ["", "-l 0.1", "-l 2"],
    },
}
# What the libraries do when they are told nothing.
TEXTBOOK: dict[str, dict[str, Any]] = {
    "ParetoBandit": {"alpha": 0.01, "init_lambda": 1.0},
    "VowpalWabbit": {"exploration": "--epsilon 0.05", "options": ""},
}


def main(
    agents: Annotated[str, typer.Option(help="Peers, separated by commas; the others keep their results.")] = ",".join(
        GRIDS
    ),
    budget: Annotated[int, typer.Option(help="Sessions per context, agent and reward form.")] = 360,
    seed: int = 0,
) -> None:
    """Try every candidate and write what was chosen."""
    table, found = load_table("nano"), {}
    for name in track(agents.split(","), "tuning"):
        forms = tried(f"benchmarks.peer_agents:{name}", GRIDS[name], budget, seed, blocks=BLOCKS)
        found[name] = document(TEXTBOOK[name], forms)
        print(f"{name}: {found[name]['chosen']}")
    path = file_of("peer_defaults", table)
    kept = json.loads(path.read_text(encoding="utf-8"))["result"] if path.is_file() else {}
    print(f"wrote {save('peer_defaults', table, kept | found)}")


if __name__ == "__main__":
    typer.run(main)
