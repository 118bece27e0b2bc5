"""Pulls per second of vectorised sessions, in steady state (resets apart), beside the bare gather of the rewards.

    python benchmarks/throughput.py [--table nano]

One pull is one query routed in one session: select an action, step, update. Every row is the best of several runs of
whole sessions on one thread, since the machine may be shared; ratios are within this run.
"""

import os
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import typer
from results_file import save
from rich.console import Console
from rich.table import Table

from llm_routing_env.agents import make_agent
from llm_routing_env.envs import PickLLMVectorEnv

AGENTS = ("learning_automaton", "epsilon_greedy_q")
SESSIONS = (1, 64, 1024, 8192)
LENGTH = 200


def seconds_per_step(step: Callable[[], Any], reset: Callable[[], Any], runs: int) -> tuple[float, float]:
    """Return the best seconds per step over `runs` sessions, and the best seconds per reset."""
    stepping, resetting = [], []
    for _ in range(runs):
        start = time.perf_counter()
        reset()
        middle = time.perf_counter()
        for _ in range(LENGTH - 1):
            step()
        stepping.append((time.perf_counter() - middle) / (LENGTH - 1))
        resetting.append(middle - start)
    return min(stepping), min(resetting)


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path.")] = "nano",
    runs: Annotated[int, typer.Option(help="Sessions timed per row; the best counts.")] = 7,
) -> None:
    """Time bare gather, environment alone, and environment with each agent."""
    rows, shown = [], Table("sessions", "what", "info", "M pulls/s", "of the bare gather", "reset, ms")
    for n in SESSIONS:
        actions = np.random.default_rng(0).integers(4, size=n)
        env = PickLLMVectorEnv(n, LENGTH, "DISABLED", table, observation="none", info="none")
        rewards, first = env.problem.reward_table.rewards.ravel(), np.random.default_rng(1).integers(2_000, size=n)
        bare, _ = seconds_per_step(lambda a=actions, r=rewards, f=first: r[f + a], lambda: None, runs)
        timed: list[tuple[str, str, float, float]] = [("bare gather", "", bare, 0.0)]
        for info in ("none", "numbers"):
            env = PickLLMVectorEnv(n, LENGTH, "DISABLED", table, observation="none", info=info)
            times = seconds_per_step(lambda e=env, a=actions: e.step(a), lambda e=env: e.reset(seed=0), runs)
            timed.append(("environment", info, *times))
        env = PickLLMVectorEnv(n, LENGTH, "DISABLED", table, observation="none", info="none")
        timed += [(f"environment + {name}", "none", *_with_agent(env, name, runs)) for name in AGENTS]
        for what, info, step_s, reset_s in timed:
            rows.append({"sessions": n, "what": what, "info": info, "pulls_per_s": n / step_s, "reset_s": reset_s})
            cells = (f"{n / step_s / 1e6:.3g}", f"{bare / step_s:.1%}", f"{1e3 * reset_s:.1f}")
            shown.add_row(str(n), what, info, *cells, end_section=what.endswith(AGENTS[-1]))
    Console().print(shown)
    print(f"wrote {save('throughput', env.problem.table, {'cores': os.cpu_count(), 'rows': rows})}")


def _with_agent(env: PickLLMVectorEnv, name: str, runs: int) -> tuple[float, float]:
    agent: Any = None

    def reset() -> None:
        nonlocal agent
        env.reset(seed=0)
        agent = make_agent(name, env.task, n_sessions=env.num_envs, seed=0)

    def step() -> None:
        action = agent.select_action(None)
        _, reward, _, _, _ = env.step(action)
        agent.update(None, action, reward)

    return seconds_per_step(step, reset, runs)


if __name__ == "__main__":
    typer.run(main)
