"""Pulls per second of one session through `gym.make("PickLLM-v0")`, beside other bandit libraries on the same queries.

    python benchmarks/peers.py [--table nano]

Everyone routes the same stream of queries, with the same recorded rewards. The learners are epsilon-greedy on sample
means with the same constant epsilon, except `learning_automaton` and Vowpal Wabbit, whose estimate is its default
regression on costs. Each library is used as its documentation does; coba brings an environment and an evaluator of its
own, the others only learn, so their loop reads the reward from a list. Setting up (learners, sessions, coba's
interactions) is not counted. Everyone takes turns on one thread and the best run counts; ratios are within this run.
A library that is not installed is left out: `pip install "llm-routing-env[bench]"`.
"""

import os
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from peer_loops import PEERS, Stream
from results_file import save
from rich.console import Console
from rich.table import Table
from timing import Run, Timed, race

import llm_routing_env
from llm_routing_env.agents import make_agent
from llm_routing_env.envs.problem import MIXED
from llm_routing_env.tables.load import load_table

gym.register_envs(llm_routing_env)
EPSILON = 0.1
AGENTS: dict[str, dict[str, Any]] = {
    "epsilon_greedy_q": {
        "exploration": "constant",
        "epsilon": EPSILON,
        "step_size": "sample_mean",
        "commit_rounds": None,
    },
    "learning_automaton": {},
}
GYM, LIST, OWN = "gym.make", "list of rewards", "its own"


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path (with embeddings beside it).")] = "nano",
    pulls: Annotated[int, typer.Option(min=1, help="Queries of the session, at most those of the test split.")] = 500,
    runs: Annotated[int, typer.Option(min=1, help="Runs timed per row; the best counts.")] = 11,
) -> None:
    """Time environment, agents and peers."""
    versions = {name: _version(name) for name in PEERS}
    stream = recorded_stream(table, pulls)
    timed = [*environments(table, len(stream)), *agents(table, stream)]
    for name, prepare in PEERS.items():
        if versions[name]:
            labels = _labels(name, OWN if name == "coba" else LIST)
            timed.append(Timed(labels, len(stream), partial(prepare, stream, EPSILON)))
    rows = with_ratios(race(timed, runs))
    for row, one in zip(rows, timed, strict=True):
        row["mean_reward"] = one.prepare()()
    _show(rows, versions)
    result = {"cores": os.cpu_count(), "pulls": len(stream), "epsilon": EPSILON, "peers": versions, "rows": rows}
    print(f"wrote {save('peers', load_table(table), result)}")
    for name in versions:
        if not versions[name]:
            print(f"{name} is not installed and was left out")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def make_session(table: str, pulls: int, **arguments: Any) -> gym.Env[Any, Any]:
    """Return the environment as a user makes it, for one long session over all contexts."""
    return gym.make("PickLLM-v0", table=table, context=MIXED, max_episode_steps=pulls, **arguments)


def recorded_stream(table: str, pulls: int) -> Stream:
    """Return the rewards of each LLM along the session that the environment draws from seed 0."""
    problem = make_session(table, pulls, observation="none").unwrapped.problem
    session = problem.draw_session(np.random.default_rng(0), MIXED)
    rewards = problem.reward_table.rewards[session.queries, :, session.repeats]
    return [tuple(row) for row in rewards[:pulls].tolist()]


def environments(table: str, pulls: int) -> list[Timed]:
    """Return the environment alone, for each kind of info and observation."""
    actions = np.random.default_rng(0).integers(load_table(table).n_llms, size=pulls).tolist()
    timed = []
    for observation in ("none", "embedding"):
        for info in ("none", "numbers", "full"):
            env = make_session(table, pulls, observation=observation, info=info)
            timed.append(Timed(_labels(None, GYM, observation, info), pulls, partial(_alone, env, actions)))
    return timed


def _alone(env: gym.Env[Any, Any], actions: list[int]) -> Run:
    env.reset(seed=0)

    def run() -> float:
        total = 0.0
        for action in actions:
            _, reward, _, _, _ = env.step(action)
            total += float(reward)
        return total / len(actions)

    return run


def agents(table: str, stream: Stream) -> list[Timed]:
    """Return our agents: through gym.make as fast and as informed as it gets, and alone on a list of rewards."""
    timed = []
    for name, hyperparameters in AGENTS.items():
        for observation, info in (("none", "none"), ("embedding", "full")):
            env = make_session(table, len(stream), observation=observation, info=info)
            agent = partial(make_agent, name, env.unwrapped.task, seed=0, **hyperparameters)
            run = partial(_in_environment, env, agent, len(stream))
            timed.append(Timed(_labels(name, GYM, observation, info), len(stream), run))
        timed.append(Timed(_labels(name, LIST), len(stream), partial(_on_list, agent, stream)))
    return timed


def _labels(learner: str | None, loop: str, observation: str | None = None, info: str | None = None) -> dict[str, Any]:
    return {"learner": learner, "loop": loop, "observation": observation, "info": info}


def _in_environment(env: gym.Env[Any, Any], make: Callable[[], Any], pulls: int) -> Run:
    agent, (observation, _) = make(), env.reset(seed=0)

    def run() -> float:
        total, seen = 0.0, observation
        for _ in range(pulls):
            action = agent.select_action(seen)
            following, reward, _, _, _ = env.step(action)
            agent.update(seen, action, reward)
            seen, total = following, total + float(reward)
        return total / pulls

    return run


def _on_list(make: Callable[[], Any], stream: Stream) -> Run:
    agent = make()

    def run() -> float:
        total = 0.0
        for rewards in stream:
            action = agent.select_action(None)
            agent.update(None, action, rewards[action])
            total += rewards[action]
        return total / len(stream)

    return run


def with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to each library's row how many times as many pulls our epsilon-greedy makes, in gym.make and alone."""
    ours = [row for row in rows if row["learner"] == "epsilon_greedy_q" and row["observation"] in (None, "none")]
    by_loop = {row["loop"]: row["pulls_per_s"] for row in ours}
    for row in rows:
        if row["learner"] in PEERS:
            row["ours_in_gym_over_this"] = by_loop[GYM] / row["pulls_per_s"]
            row["ours_alone_over_this"] = by_loop[LIST] / row["pulls_per_s"]
    return rows


def _show(rows: list[dict[str, Any]], versions: dict[str, str | None]) -> None:
    shown = Table("what", "pulls/s", "mean reward", "ours in gym / this", "ours alone / this")
    for row in rows:
        learner = row["learner"] or "environment"
        what = (" ".join(filter(None, (learner, versions.get(learner)))), row["loop"], row["observation"], row["info"])
        shown.add_row(
            ", ".join(filter(None, what)),
            f"{row['pulls_per_s']:,.0f}",
            f"{row['mean_reward']:.3f}",
            *(f"{row[key]:.2f}" if key in row else "" for key in ("ours_in_gym_over_this", "ours_alone_over_this")),
        )
    Console().print(shown)


if __name__ == "__main__":
    typer.run(main)
