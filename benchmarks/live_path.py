"""What recordings and live steps hold to when servers do not: money, outages, limits, kills, speed and memory.

    python benchmarks/live_path.py [--memory-outcomes 1000000]

Each row is a real `record` over HTTP on loopback, against `live_server.py` in a process of its own. The rate without
waiting for the disk is the same recording with SQLite told not to wait, in turns with the other; figures are medians.
Memory is the highest of the recording process, with answers of 400 characters.
"""

import contextlib
import multiprocessing
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from results_file import save
from rich.console import Console

import llm_routing_env
from llm_routing_env.backends import journal_file
from llm_routing_env.backends.budget import Budget
from llm_routing_env.envs import PickLLMEnv
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.recording import record
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.queries import Query, QuerySet

SERVER = Path(__file__).with_name("live_server.py")
PACKAGE = Path(llm_routing_env.__file__).parent
ROUNDS, N_RATE = 5, 4000
_PROFILED: list[tuple[str, str]] = []


@contextlib.contextmanager
def served(port: int = 0) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Yield the base URL of a server, and its process."""
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(SERVER), str(port)])
    while socket.socket().connect_ex(("127.0.0.1", port)):
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}/v1", process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def queries(n: int) -> QuerySet:
    """Return so many queries."""
    return QuerySet(Query(f"q{i}", "art", "test" if i % 2 else "train", f"Question {i}?", ("yes",)) for i in range(n))


def pool_of(url: str, *models: str, deadline_s: float = 60.0) -> Pool:
    """Return a pool of LLMs that behave as their names say."""
    return Pool("loopback", tuple(LLMSpec(m, 2.0, 8.0, base_url=url, max_tokens=10) for m in models), deadline_s)


def overcounting() -> dict[str, Any]:
    """Record from two servers that count 100 times the tokens, with $0.02 and 64 in flight."""
    with served() as (url, _), tempfile.TemporaryDirectory() as folder:
        pool, budget = pool_of(url, "a counts:100", "b counts:100"), Budget(max_usd=0.02)
        done = record(pool, queries(400), Path(folder, "t"), repeats=1, concurrency=64, budget=budget)
    request_usd = (10_000 * 2.0 + 1_000 * 8.0) / 1e6
    return {
        "max_usd": 0.02,
        "spent_usd": done.spent_usd,
        "overshoot_usd": max(0.0, done.spent_usd - 0.02),
        "one_request_of_each_llm_usd": 2 * request_usd,
        "said": done.stopped,
    }


def troubles() -> dict[str, Any]:
    """Record 1,000 through an outage of 10 s, a limit of 20 a second, a restart, and a server that hangs."""
    found = {}
    for name, model, deadline_s in (
        ("outage of 10 s", "slow:0.01 down:0.5:10.5", 60.0),
        ("limit of 20 a second", "limit:20", 60.0),
        ("hangs for 4 s", "slow:0.01 hangs:0.5:4.5", 1.0),
    ):
        with served() as (url, _):
            found[name] = recorded(pool_of(url, model, deadline_s=deadline_s))
    with served() as (url, process):
        port = int(url.split(":")[2].split("/")[0])

        def restart() -> None:
            time.sleep(0.7)
            process.kill()
            time.sleep(3)
            stack.enter_context(served(port))

        with contextlib.ExitStack() as stack:
            thread = threading.Thread(target=restart)
            thread.start()
            found["restart"] = recorded(pool_of(url, "slow:0.01"))
            thread.join()
    return found


def recorded(pool: Pool) -> dict[str, Any]:
    """Record 1,000 outcomes; return what became of them."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        done = record(pool, queries(1000), Path(folder, "t"), repeats=1, concurrency=8)
    lost = done.n_total - done.n_recorded
    return {"failed": done.n_failed, "lost": lost, "requests": done.n_requests, "seconds": time.perf_counter() - begun}


def rate(url: str, *, waits: bool) -> float:
    """Return the outcomes per second of a recording with 64 in flight from a server of 20 ms."""
    kind = journal_file._Connection
    if not waits:
        journal_file._Connection = _Careless  # type: ignore[misc]
    try:
        with tempfile.TemporaryDirectory(dir=".") as folder:
            begun = time.perf_counter()
            record(pool_of(url, "slow:0.02"), queries(N_RATE), Path(folder, "t"), repeats=1, concurrency=64)
            return N_RATE / (time.perf_counter() - begun)
    finally:
        journal_file._Connection = kind  # type: ignore[misc]


class _Careless(journal_file._Connection):
    """Waits for no disk."""

    def execute(self, sql: str, *parameters: Any) -> Any:
        return super().execute("PRAGMA synchronous = OFF" if "synchronous" in sql else sql, *parameters)


def speed() -> dict[str, Any]:
    """Compare recordings that wait for the disk with some that do not."""
    with served() as (url, _):
        rate(url, waits=True)
        pairs = [(rate(url, waits=True), rate(url, waits=False)) for _ in range(ROUNDS)]
    return {
        "outcomes_per_s": statistics.median(a for a, _ in pairs),
        "without_waiting_per_s": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
        "ratios": [a / b for a, b in pairs],
    }


def memory(n_outcomes: int) -> dict[str, Any]:
    """Return the highest memory of a process that records so many outcomes of 400 characters."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as workers:
        return workers.apply(_memory, (n_outcomes,))


def _memory(n_outcomes: int) -> dict[str, Any]:
    repeats = 5
    begun = time.perf_counter()
    with served() as (url, _), tempfile.TemporaryDirectory(dir=".") as folder:
        pool = pool_of(url, "a says:400", "b says:400")
        asked = queries(n_outcomes // (2 * repeats))
        done = record(pool, asked, Path(folder, "t"), repeats=repeats, concurrency=64, scorers=("exact_match",))
    return {
        "outcomes": done.n_recorded,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "seconds": time.perf_counter() - begun,
    }


def live_step() -> dict[str, Any]:
    """Return the functions of the package, and their files, that are called between `step` and the socket."""
    on = threading.Event()

    def note(frame: Any, event: str, _: Any) -> None:
        if event != "call" or not on.is_set():
            return
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            _PROFILED.append((str(path.relative_to(PACKAGE)), frame.f_code.co_qualname))
        elif frame.f_code.co_qualname == "ClientSession._request":
            on.clear()

    threading.setprofile(note)
    sys.setprofile(note)
    table = load_table("nano")
    with served() as (url, _):
        env = PickLLMEnv(table, backend="vllm", pool=pool_of(url, *table.llm_names), observation="none")
        env.reset(seed=0)
        env.step(0)
        on.set()
        env.step(0)
        env.close()
    threading.setprofile(None)
    sys.setprofile(None)
    called = list(dict.fromkeys(_PROFILED))[1:]  # after step itself
    named = [name for name in called if "<" not in name[1].rsplit(".", 1)[-1]]
    return {"functions": len(named), "with_comprehensions": len(called), "files": len({file for file, _ in called})}


def main(
    memory_outcomes: Annotated[int, typer.Option(min=0, help="Outcomes of the memory row; 0 leaves it out.")] = 100_000,
) -> None:
    """Measure everything and write the result."""
    os.environ.setdefault("NO_PROXY", "127.0.0.1")
    console, result = Console(), {}
    for name, measure in (
        ("a live step", live_step),
        ("a server that counts 100 times the tokens", overcounting),
        ("1,000 outcomes through trouble", troubles),
        ("64 in flight, 20 ms a request", speed),
    ):
        result[name] = measure()
        console.print(name, result[name])
    if memory_outcomes:
        result["memory"] = memory(memory_outcomes)
        console.print("memory", result["memory"])
    console.print(f"wrote {save('live_path', load_table('nano'), result)}")


if __name__ == "__main__":
    typer.run(main)
