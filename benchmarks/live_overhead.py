"""The live vector environment against vLLM's own benchmark client: requests per second and latency on one vLLM server.

    python benchmarks/live_overhead.py [--table nano]

Both send the same prompts at temperature 0 with the same limit of tokens to the same server, so many at a time, over
new connections. They take turns, so that a busy moment of a shared machine hits all of them. Figures are medians over
the rounds, comparisons medians of the ratios and differences within a round; "best" is of the best round of each, the
least disturbed. vLLM's client always streams; the environment is measured streaming, which has the server do the same
work, and as it is by default. A step waits for the last of its sessions: "lockstep" has only as many sessions as
requests in flight, so the server runs empty at the end of each step.
"""

import asyncio
import contextlib
import io
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from results_file import save
from rich.console import Console
from rich.progress import track
from rich.table import Table

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.envs import PickLLMLiveVectorEnv
from llm_routing_env.pools.pool import Pool, load_pool
from llm_routing_env.serving import serve
from llm_routing_env.tables.load import load_table

REQUESTS = {1: 16, 8: 64, 32: 192, 64: 256}  # by how many are in flight
REFERENCE = "vLLM's client"


@dataclass(frozen=True)
class Work:
    """What every client has to do: route as many test queries to the only LLM of the pool."""

    pool: Pool
    table: str
    in_flight: int

    @property
    def n_requests(self) -> int:
        """How many requests there are."""
        return REQUESTS[self.in_flight]

    def prompts(self) -> list[str]:
        """Return the prompts of the environment's first step."""
        env = self.env(self.n_requests)
        prompts: list[str] = env.reset(seed=0)[1]["prompt"].tolist()
        return prompts

    def env(self, num_envs: int, **arguments: Any) -> PickLLMLiveVectorEnv:
        """Return sessions that have not sent anything."""
        arguments = {"context": "mixed", "observation": "none", "info": "full", **arguments}
        return PickLLMLiveVectorEnv(
            num_envs, table=self.table, pool=self.pool, max_in_flight=self.in_flight, **arguments
        )


Measured = tuple[float, list[float]]
"""The seconds for all of the work, and of each request."""


def environment(work: Work, *, stream: bool = False, lockstep: bool = False) -> Measured:
    """Do the work by steps of the environment."""
    num_envs = work.in_flight if lockstep else work.n_requests
    env, latencies_s = work.env(num_envs, stream=stream), []
    env.reset(seed=0)
    begun = time.perf_counter()
    for _ in range(work.n_requests // num_envs):
        info = env.step(np.zeros(num_envs, dtype=np.int64))[4]
        if any(info["error"]):
            raise RuntimeError(f"A request failed: {next(filter(None, info['error']))}")
        latencies_s += info["latency_s"].tolist()
    seconds = time.perf_counter() - begun
    env.close()
    return seconds, latencies_s


def vllm_client(work: Work) -> Measured:
    """Do the work by what `vllm bench serve` runs."""
    from vllm.benchmarks.datasets import SampleRequest
    from vllm.benchmarks.serve import TaskType, benchmark

    (llm,) = work.pool.llms
    options = dict.fromkeys(("logprobs", "tokenizer", "lora_modules", "extra_headers"))
    options |= dict.fromkeys(("profile", "ignore_eos"), False)
    run = benchmark(
        task_type=TaskType.GENERATION,
        endpoint_type="openai-chat",
        api_url=f"{llm.base_url}/chat/completions",
        base_url=llm.base_url.removesuffix("/v1"),
        model_id=llm.name,
        model_name=llm.name,
        input_requests=[SampleRequest(prompt, 1, llm.max_tokens) for prompt in work.prompts()],
        request_rate=math.inf,
        burstiness=1.0,
        max_concurrency=work.in_flight,
        extra_body={"temperature": 0},
        num_warmups=0,
        disable_tqdm=True,
        ready_check_timeout_sec=0,
        selected_percentile_metrics=["e2el"],
        selected_percentiles=[50.0],
        goodput_config_dict={},
        **options,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        result = asyncio.run(run)
    if result["completed"] != work.n_requests:
        raise RuntimeError(f"{REFERENCE} failed: {next(filter(None, result['errors']))}")
    return result["duration"], [a + sum(b) for a, b in zip(result["ttfts"], result["itls"], strict=True)]


CLIENTS: dict[str, Callable[[Work], Measured]] = {
    REFERENCE: vllm_client,
    "environment, streaming": partial(environment, stream=True),
    "environment": environment,
    "environment, lockstep": partial(environment, lockstep=True),
}


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name; its pool is served.")] = "nano",
    llm: Annotated[str, typer.Option(help="The LLM to serve; the pool's first if empty.")] = "",
    rounds: Annotated[int, typer.Option(min=1, help="Turns of every client at every number in flight.")] = 9,
) -> None:
    """Serve one LLM, let every client ask it, and write the result."""
    import vllm
    import vllm.benchmarks.serve  # takes seconds, which are not the first client's

    pool = load_pool(table)
    if llm and llm not in pool.llm_names:
        raise unknown_name("LLM", llm, pool.llm_names)
    spec = pool.llms[pool.llm_names.index(llm)] if llm else pool.llms[0]
    pool = replace(pool, llms=(spec,))
    with tempfile.TemporaryDirectory() as folder, serve(pool, state_dir=Path(folder)) as urls:
        pool = replace(pool, llms=(replace(spec, base_url=urls[spec.name]),))
        environment(Work(pool, table, 8))  # a server's first answers are slow
        runs = [
            measure(Work(pool, table, in_flight), client)
            for turn in track(range(rounds), "rounds")
            for in_flight in REQUESTS
            for client in rotated(list(CLIENTS), turn)
        ]
    rows = [summary(runs, in_flight, client) for in_flight in REQUESTS for client in CLIENTS]
    show(rows)
    about = {"llm": spec.name, "rounds": rounds, "cores": os.cpu_count(), "vllm": vllm.__version__}
    print(f"wrote {save('live_overhead', load_table(table), {**about, 'rows': rows})}")


def measure(work: Work, client: str) -> dict[str, Any]:
    """Let one client do the work once."""
    cpu_s = time.process_time()
    seconds, latencies_s = CLIENTS[client](work)
    cpu_s = time.process_time() - cpu_s
    p50_s, p95_s = np.percentile(latencies_s, [50, 95])
    return {
        "in_flight": work.in_flight,
        "client": client,
        "requests_per_s": work.n_requests / seconds,
        "p50_s": p50_s,
        "p95_s": p95_s,
        "client_cpu_s_per_request": cpu_s / work.n_requests,
    }


def summary(runs: list[dict[str, Any]], in_flight: int, client: str) -> dict[str, Any]:
    """Return a client's medians, and how it compares with the reference, round by round."""
    mine, theirs = (
        [run for run in runs if run["in_flight"] == in_flight and run["client"] == name] for name in (client, REFERENCE)
    )
    pairs = list(zip(mine, theirs, strict=True))
    best, reference = (
        {"requests_per_s": max(run["requests_per_s"] for run in of), "p50_s": min(run["p50_s"] for run in of)}
        for of in (mine, theirs)
    )
    measures = ("requests_per_s", "p50_s", "p95_s", "client_cpu_s_per_request")
    return {
        "in_flight": in_flight,
        "client": client,
        **{name: statistics.median(run[name] for run in mine) for name in measures},
        "throughput_of_reference": spread([a["requests_per_s"] / b["requests_per_s"] for a, b in pairs]),
        "added_p50_s": spread([a["p50_s"] - b["p50_s"] for a, b in pairs]),
        "best": best
        | {
            "throughput_of_reference": best["requests_per_s"] / reference["requests_per_s"],
            "added_p50_s": best["p50_s"] - reference["p50_s"],
        },
    }


def spread(values: list[float]) -> dict[str, float]:
    """Return the median over the rounds, the least and the most."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def rotated(names: list[str], turn: int) -> list[str]:
    """Return the names, beginning with another one each turn."""
    first = turn % len(names)
    return names[first:] + names[:first]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table; comparisons as: median over the rounds (best round against best round)."""
    shown = Table("in flight", "client", "requests/s", "of vLLM's", "p50, ms", "added, ms", "p95, ms", "client CPU, ms")
    for row in rows:
        best = row["best"]
        shown.add_row(
            str(row["in_flight"]),
            row["client"],
            f"{row['requests_per_s']:.0f} ({best['requests_per_s']:.0f})",
            f"{row['throughput_of_reference']['median']:.0%} ({best['throughput_of_reference']:.0%})",
            f"{1e3 * row['p50_s']:.1f} ({1e3 * best['p50_s']:.1f})",
            f"{1e3 * row['added_p50_s']['median']:+.1f} ({1e3 * best['added_p50_s']:+.1f})",
            f"{1e3 * row['p95_s']:.1f}",
            f"{1e3 * row['client_cpu_s_per_request']:.2f}",
            end_section=row["client"] == list(CLIENTS)[-1],
        )
    Console(width=120).print(shown)


if __name__ == "__main__":
    typer.run(main)
