"""Asks per second of `PickLLM-Multi-v0`: many sessions in one numpy step, and one session.

    python benchmarks/asks.py [--table nano] [--sessions 1024]

The policy draws an action of use in each step, so it asks between one and all LLMs; steps that accept are not counted
as asks. Actions and a reset are made beforehand, and every query of the table has been read before, as a process does
once. Seconds are of the CPU, on one thread, and the best run counts, since the machine may be shared.
"""

import os
import time
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from results_file import save
from rich.console import Console
from rich.progress import track
from rich.table import Table

from llm_routing_env.envs import PickLLMMultiVectorEnv
from llm_routing_env.tables.load import load_table

STEPS = 150
SINGLE_STEPS = 2_000


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path (with embeddings beside it).")] = "nano",
    sessions: Annotated[list[int], typer.Option(min=1, help="Sessions at once.")] = [64, 1024],  # noqa: B006
    runs: Annotated[int, typer.Option(min=1, help="Runs timed per row; the best counts.")] = 7,
) -> None:
    """Time the vector with and without embeddings and infos, and the scalar environment."""
    settings = [
        {"sessions": n, "observation": observation, "info": info, "parallel": parallel}
        for n in sessions
        for observation in ("none", "embedding")
        for info, parallel in (("none", False), ("numbers", False), ("numbers", True))
    ]
    timed = [(setting, _vector(table, **setting)) for setting in settings]
    singles = [
        {"sessions": 1, "observation": "embedding", "info": info, "parallel": False} for info in ("none", "full")
    ]
    timed += [(setting, _single(table, setting)) for setting in singles]
    best = [max((run() for _ in range(runs)), key=lambda rate: rate["asks_per_s"]) for _, run in track(timed, "timing")]
    rows = [setting | rate for (setting, _), rate in zip(timed, best, strict=True)]
    shown = Table("sessions", "observation", "info", "parallel", "asks/s", "steps/s")
    for row in rows:
        labels = (str(row[name]) for name in ("sessions", "observation", "info", "parallel"))
        shown.add_row(*labels, f"{row['asks_per_s']:,.0f}", f"{row['steps_per_s']:,.0f}")
    Console().print(shown)
    print(f"wrote {save('asks', load_table(table), {'cores': os.cpu_count(), 'rows': rows})}")


def _vector(table: str, sessions: int, observation: str, info: str, *, parallel: bool) -> Any:
    options: dict[str, Any] = {"table": table, "observation": observation, "info": info, "parallel": parallel}
    env = PickLLMMultiVectorEnv(sessions, "DISABLED", **options)
    actions, n_asks = _drawn(PickLLMMultiVectorEnv(sessions, "DISABLED", **options | {"info": "numbers"}))

    def run() -> dict[str, float]:
        env.reset(seed=0)
        start = time.process_time()
        for each in actions:
            env.step(each)
        seconds = time.process_time() - start
        return {"asks_per_s": n_asks / seconds, "steps_per_s": actions.size / seconds}

    return run


def _drawn(env: PickLLMMultiVectorEnv) -> tuple[np.ndarray, int]:
    """Return the actions of a run, and how many of them ask."""
    env.reset(seed=0)
    rng, actions, n_asks = np.random.default_rng(0), [], 0
    for _ in range(STEPS):
        masks = env.action_masks()
        actions.append(np.argmax(rng.random(masks.shape) * masks, axis=1))
        told = env.step(actions[-1])[4]
        n_asks += int((~told["query_done"] & (told["llm_index"] >= 0)).sum())  # closing parallel asks asks nobody
    return np.array(actions), n_asks


def _single(table: str, setting: dict[str, Any]) -> Any:
    env = gym.make("PickLLM-Multi-v0", table=table, observation=setting["observation"], info=setting["info"])
    n_llms = env.action_space.n - 1

    def run() -> dict[str, float]:
        env.reset(seed=0)
        start = time.process_time()
        for number in range(SINGLE_STEPS):
            if env.step(number % (n_llms + 1))[3]:
                env.reset()
        seconds = time.process_time() - start
        return {"asks_per_s": SINGLE_STEPS * n_llms / (n_llms + 1) / seconds, "steps_per_s": SINGLE_STEPS / seconds}

    return run


if __name__ == "__main__":
    typer.run(main)
