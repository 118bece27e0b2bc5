"""Pulls per second of `outcome_linear`, 1,024 lifetimes at once: select, step, update with the outcome.

    python benchmarks/lifelong_speed.py [--table nano]

Seconds are the processor's, of all threads, in the best run: the machine may be shared.
"""

import time
from typing import Annotated, Any

import typer
from results_file import save

from llm_routing_env.agents import make_agent
from llm_routing_env.envs import PickLLMVectorEnv
from llm_routing_env.tables.load import load_table

FIELD = (("outcome_linear", "context"), ("outcome_linear", "context+embedding32"))
OUTCOME = ("accuracy", "cost_usd", "latency_s")


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path (with embeddings beside it).")] = "nano",
    lifetimes: Annotated[int, typer.Option(min=1, help="Lifetimes at once.")] = 1024,
    queries: Annotated[int, typer.Option(min=1, help="Queries of each that are timed.")] = 100,
    runs: Annotated[int, typer.Option(min=1, help="Runs; the best counts.")] = 5,
) -> None:
    """Time each agent."""
    rows: list[dict[str, Any]] = []
    for agent, observation in FIELD:
        seconds = min(seconds_of(table, agent, observation, lifetimes, queries) for _ in range(runs))
        rows.append({"agent": agent, "observation": observation, "pulls_per_s": round(lifetimes * queries / seconds)})
        print(f"{agent} on {observation}: {rows[-1]['pulls_per_s']:,} pulls/s")
    print(f"wrote {save('lifelong_speed', load_table(table), {'lifetimes': lifetimes, 'rows': rows})}")


def seconds_of(table: str, agent: str, observation: str, lifetimes: int, queries: int) -> float:
    """Return the processor's seconds of some queries of every lifetime, after as many that are not timed."""
    env = PickLLMVectorEnv(lifetimes, 2 * queries, "DISABLED", table, observation=observation, info="numbers")
    learner = make_agent(agent, env.task, n_sessions=lifetimes, seed=0, observation=observation)
    seen, _ = env.reset(seed=0)
    for query in range(2 * queries):
        if query == queries:
            start = time.process_time()
        action = learner.select_action(seen)
        following, reward, _, _, info = env.step(action)
        learner.update(seen, action, reward, outcome={name: info[name] for name in OUTCOME})
        seen = following
    return time.process_time() - start


if __name__ == "__main__":
    typer.run(main)
