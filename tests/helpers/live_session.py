"""A live vector session with a journal, in a process of its own that a test can kill."""

import multiprocessing
import os
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

N_ENVS, N_STEPS = 4, 90
_PRELOADED = [
    "live_session",
    "llm_routing_env.envs",
    "llm_routing_env.backends.asker",
    "llm_routing_env.backends.http_endpoints",
]


def start(folder: Path) -> BaseProcess:
    """Start the session of a folder, or go on with it, within milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=run, args=(folder,))
    process.start()
    return process


def run(folder: Path) -> dict[str, Any]:
    """Run the whole session: what it said, by step and session, and what it spent."""
    import llm_routing_env  # noqa: F401  registers PickLLMLive-v0
    from llm_routing_env.envs import PickLLMLiveVectorEnv

    os.chdir(folder)
    env = PickLLMLiveVectorEnv(
        *(N_ENVS, 20, "SAME_STEP"),
        table="random.parquet",
        pool="pool.toml",
        journal="journal",
        resume=True,
        info="full",
    )
    env.reset(seed=0)
    said = []
    for number in range(N_STEPS):
        info = env.step((np.arange(N_ENVS) + number) % env.task.n_actions)[4]
        final = info.get("final_info", {}).get("response", [None] * N_ENVS)
        now = info.get("response", [None] * N_ENVS)
        said.append([ended or going_on for ended, going_on in zip(final, now, strict=True)])
        spent_usd = float(info.get("final_info", info)["spent_usd"][0])
    env.close()
    return {"said": said, "spent_usd": spent_usd}
