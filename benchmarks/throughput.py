"""Pulls per second of vectorised sessions, in steady state (resets apart), beside the bare gather of the arrays.

    python benchmarks/throughput.py [--table nano]

One pull is one query routed in one session: select an action, step, update. The bare gather is what no step can do
without: one reward per session, and for embeddings one row per session, copied to a fresh array; its indices are at
hand. Everything with the same number of sessions takes turns on one thread, and the best run counts, since the
machine may be shared; ratios are within such a group.
"""

import os
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import typer
from results_file import save
from rich.console import Console
from rich.progress import track
from rich.table import Table
from timing import Run, Timed, race

from llm_routing_env.agents import make_agent
from llm_routing_env.envs import PickLLMVectorEnv
from llm_routing_env.tables.load import load_table

AGENTS = ("learning_automaton", "epsilon_greedy_q")
OBSERVATIONS = ("none", "embedding")
INFOS = ("none", "numbers", "full")
SESSIONS = [1, 64, 1024, 8192]
LENGTH = 200
FULL_PULLS = 20_000  # texts take so long that a few steps will do


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path (with embeddings beside it).")] = "nano",
    sessions: Annotated[
        list[int], typer.Option(min=1, help="Sessions at once; may be given several times.")
    ] = SESSIONS,
    runs: Annotated[int, typer.Option(min=1, help="Runs timed per row; the best counts.")] = 5,
) -> None:
    """Time bare gather, environment alone, and environment with each agent."""
    rows: list[dict[str, Any]] = []
    groups = [(n, observation) for n in sessions for observation in OBSERVATIONS]
    for n, observation in track(groups, "timing"):
        group = race(field(table, n, observation), runs)
        for row in group:
            row["of_bare_gather"] = row["pulls_per_s"] / group[0]["pulls_per_s"]
            row["reset_s_per_session"] = row["reset_s"] / n
        rows += group
    _show(rows)
    print(f"wrote {save('throughput', load_table(table), {'cores': os.cpu_count(), 'rows': rows})}")


def field(table: str, n: int, observation: str) -> list[Timed]:
    """Return what is timed with `n` sessions and one kind of observation, the bare gather first."""
    labels = {"sessions": n, "observation": observation}
    actions = np.random.default_rng(0).integers(load_table(table).n_llms, size=n)
    bare: PickLLMVectorEnv | None = None
    timed = []
    for info in INFOS:
        env = PickLLMVectorEnv(n, LENGTH, "DISABLED", table, observation=observation, info=info)
        steps = LENGTH - 1 if info != "full" else min(LENGTH - 1, max(1, FULL_PULLS // n))
        what = labels | {"what": "environment", "info": info}
        timed.append(Timed(what, steps * n, lambda env=env, steps=steps: _alone(env, actions, steps)))
        bare = bare or env
    for name in AGENTS:
        what = labels | {"what": f"environment + {name}", "info": "none"}
        timed.append(Timed(what, (LENGTH - 1) * n, lambda name=name: _with_agent(bare, name)))
    what = labels | {"what": "bare gather", "info": ""}
    return [Timed(what, (LENGTH - 1) * n, lambda: _repeated(_gather(bare, actions), LENGTH - 1)), *timed]


def _gather(env: PickLLMVectorEnv, actions: np.ndarray) -> Callable[[], Any]:
    rewards, embeddings = env.problem.reward_table.rewards, env.problem.observations
    rng, flat = np.random.default_rng(1), rewards.ravel()
    # Of the split that sessions are of: all queries together would be harder on the cache.
    queries = rng.choice(env.problem.table.select(None, env.problem.split), size=env.num_envs)
    repeats = rng.integers(rewards.shape[2], size=env.num_envs)
    cells = np.ravel_multi_index((queries, actions, repeats), rewards.shape)
    if embeddings.shape[1] == 1:
        return lambda: flat[cells]
    return lambda: (flat[cells], np.take(embeddings, queries, axis=0))


def _alone(env: PickLLMVectorEnv, actions: np.ndarray, steps: int) -> Run:
    env.reset(seed=0)
    return _repeated(lambda: env.step(actions), steps)


def _with_agent(env: PickLLMVectorEnv, name: str) -> Run:
    observation, _ = env.reset(seed=0)
    agent = make_agent(name, env.task, n_sessions=env.num_envs, seed=0)

    def step() -> None:
        nonlocal observation
        action = agent.select_action(observation)
        following, reward, _, _, _ = env.step(action)
        agent.update(observation, action, reward)
        observation = following

    return _repeated(step, LENGTH - 1)


def _repeated(step: Callable[[], Any], times: int) -> Run:
    def run() -> None:
        for _ in range(times):
            step()

    return run


def _show(rows: list[dict[str, Any]]) -> None:
    shown = Table("sessions, observation", "what", "M pulls/s", "of bare", "reset, us")
    for row in rows:
        alone = row["what"] == "environment"
        shown.add_row(
            f"{row['sessions']}, {row['observation']}",
            f"environment, {row['info']}" if alone else row["what"].removeprefix("environment "),
            f"{row['pulls_per_s'] / 1e6:.3g}",
            f"{row['of_bare_gather']:.2%}",
            f"{1e6 * row['reset_s_per_session']:.1f}" if alone else "",
            end_section=row["what"].endswith(AGENTS[-1]),
        )
    Console().print(shown)


if __name__ == "__main__":
    typer.run(main)
