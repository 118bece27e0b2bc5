"""How much slower a scenario makes the vector environment's step and reset, beside the same sessions without one.

    python benchmarks/scenario_overhead.py [--table nano] [--sessions 64 --sessions 1024] [--rounds 31]

A round is a session of 200 queries of every sub-environment, several one after the other where there are fewer than a
thousand, with the preset and without it in turn. Its ratio is of CPU seconds; what is reported is the median over the
rounds with the middle half of them. Both get the same actions, of LLMs that no phase masks; `info` is the vector
environment's default. The first line is no scenario against itself: what the method cannot tell apart.
"""

import statistics
import time
from typing import Annotated, Any

import numpy as np
import typer
from results_file import save
from rich.console import Console
from rich.progress import track
from rich.table import Table

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.envs import PickLLMVectorEnv
from llm_routing_env.scenarios import PRESETS
from llm_routing_env.tables.load import load_table

NOTHING = "none"


def main(
    table: str = "nano",
    sessions: Annotated[list[int], typer.Option()] = [64, 1024],  # noqa: B006
    rounds: int = 31,
) -> None:
    """Measure every preset with every number of sessions; print and save the ratios."""
    work = [(name, size) for name in (NOTHING, *PRESETS) for size in sessions]
    rows = [measure(table, name, size, rounds) for name, size in track(work, "measuring")]
    shown = Table("scenario", "sessions", "step, CPU time beside none", "reset")
    for row in rows:
        cells = (f"{row[what]['median']:.3f} [{row[what]['low']:.3f}, {row[what]['high']:.3f}]" for what in WHAT)
        shown.add_row(row["scenario"], str(row["sessions"]), *cells)
    Console().print(shown)
    print(save("scenario_overhead", load_table(table), rows))


WHAT = ("step", "reset")


def measure(table: str, name: str, size: int, rounds: int) -> dict[str, Any]:
    """Return the ratios of a preset's CPU time to that of no scenario, of steps and of resets."""
    scenario = None if name == NOTHING else name
    plain, changed = (PickLLMVectorEnv(size, SESSION_LENGTH, table=table, scenario=each) for each in (None, scenario))
    phases = changed.problem.cells.available.reshape(-1, changed.problem.table.n_queries, changed.task.n_actions)
    askable = np.flatnonzero(phases.all(axis=(0, 1)))
    actions = np.random.default_rng(0).choice(askable, size=(SESSION_LENGTH - 1, size))
    _cpu_seconds(plain, actions, 0), _cpu_seconds(changed, actions, 0)  # what is made once
    seeds = np.arange(rounds * max(1, 1000 // size)).reshape(rounds, -1)
    ratios = []
    for of_round in seeds.tolist():
        pairs = [(_cpu_seconds(changed, actions, seed), _cpu_seconds(plain, actions, seed)) for seed in of_round]
        within, without = np.sum(pairs, axis=0)
        ratios.append(within / without)
    found = {what: _quartiles(each) for what, each in zip(WHAT, zip(*ratios, strict=True), strict=True)}
    return {"scenario": name, "sessions": size, "rounds": rounds} | found


def _cpu_seconds(env: PickLLMVectorEnv, actions: Any, seed: int) -> tuple[float, float]:
    """Return the CPU seconds of a session's steps, but for the last, and of its reset."""
    start = time.process_time()
    env.reset(seed=seed)
    middle = time.process_time()
    for action in actions:
        env.step(action)
    return time.process_time() - middle, middle - start


def _quartiles(ratios: tuple[float, ...]) -> dict[str, float]:
    low, median, high = statistics.quantiles(ratios, n=4)
    return {"median": median, "low": low, "high": high}


if __name__ == "__main__":
    typer.run(main)
