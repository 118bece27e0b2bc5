"""Seconds from nothing to an environment, and to its first observation: a whole process that imports and makes one.

    python benchmarks/startup.py [--table nano]

PickLLM beside Gymnasium's own CartPole, and both beside the bare imports. The processes take turns, so that a busy
moment of a shared machine hits all of them; best and median of several runs each, files in the disk cache.
"""

import os
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from operator import truediv
from typing import Annotated, Any

import typer
from results_file import save
from rich.console import Console
from rich.progress import track
from rich.table import Table

from llm_routing_env.tables.load import load_table

MAKE = "import sys, gymnasium as gym, llm_routing_env; env = gym.make('PickLLM-v0', table=sys.argv[1]{})"
RESET = "; env.reset(seed=0)"
PROGRAMS = {
    "python": "",
    "import gymnasium": "import gymnasium",
    "import llm_routing_env": "import llm_routing_env",
    "CartPole-v1": "import gymnasium as gym; env = gym.make('CartPole-v1')",
    "PickLLM-v0": MAKE.format(""),
    "PickLLM-v0, observation none": MAKE.format(", observation='none'"),
    "CartPole-v1, and reset": "import gymnasium as gym; env = gym.make('CartPole-v1')" + RESET,
    "PickLLM-v0, and reset": MAKE.format("") + RESET,
}


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path (with embeddings beside it).")] = "nano",
    runs: Annotated[int, typer.Option(min=1, help="Processes timed per row.")] = 15,
) -> None:
    """Time every program and write the result."""
    rows = measure(table, runs)
    shown = Table("process", "best, s", "median, s", "of CartPole-v1")
    for row in rows:
        seconds = (f"{row[key]:.3f}" for key in ("best_s", "median_s"))
        shown.add_row(row["process"], *seconds, f"{row['of_cartpole']:.2f}")
    Console().print(shown)
    result = {"cores": os.cpu_count(), "runs": runs, "gymnasium": version("gymnasium"), "rows": rows}
    print(f"wrote {save('startup', load_table(table), result)}")


def measure(table: str, runs: int) -> list[dict[str, Any]]:
    """Return best and median seconds of each program, and the median of its ratio to CartPole in the same round."""
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in track(range(runs), "starting"):
        for name, program in PROGRAMS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", program, table], check=True)
            seconds[name].append(time.perf_counter() - start)
    return [
        {
            "process": name,
            "best_s": min(times),
            "median_s": statistics.median(times),
            "of_cartpole": statistics.median(map(truediv, times, seconds["CartPole-v1"])),
        }
        for name, times in seconds.items()
    ]


if __name__ == "__main__":
    typer.run(main)
