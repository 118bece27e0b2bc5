"""Serving a pool: start, watch and stop one vLLM server per LLM."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from llm_routing_env.pools.pool import Pool
from llm_routing_env.serving import endpoints
from llm_routing_env.serving.endpoints import ServingError, read_endpoints
from llm_routing_env.serving.server import VLLMServer
from llm_routing_env.stopping import sigterm_raises

__all__ = ["Progress", "ServingError", "read_endpoints", "serve", "serve_servers"]

Progress = Callable[[str, str], None]
POLL_S = 0.25


@contextmanager
def serve(
    pool: Pool,
    *,
    state_dir: Path | None = None,
    log_dir: Path | None = None,
    timeout_s: float = 900.0,
    on_progress: Progress | None = None,
) -> Iterator[dict[str, str]]:
    """Serve the pool's LLMs for the length of the block; yield the base URL of each, by name.

    One vLLM server per LLM without a `base_url`: at once where `kv-cache-memory-bytes` says what each takes or their
    `CUDA_VISIBLE_DEVICES` differ, else one after another. They are stopped at the end of the block, also after an
    exception, Ctrl-C or SIGTERM, and even if this process is killed.

    Args:
        pool: The pool; its `serve` tables are vLLM's flags.
        state_dir: Where the endpoints are left for other processes; by default $PICKLLM_STATE_DIR, else the
            user's state directory.
        log_dir: Where each server's log goes; "logs" in the state directory.
        timeout_s: How long the servers may take until all are healthy.
        on_progress: Called with an LLM's name and "starting", "loading" or "ready".

    Raises:
        ServingError: Says which server failed, why, and what to do; no process is left behind.
        ValueError: The timeout is none.
    """
    with serve_servers(
        pool, state_dir=state_dir, log_dir=log_dir, timeout_s=timeout_s, on_progress=on_progress
    ) as servers:
        started = {server.llm.name: server.base_url for server in servers}
        yield {llm.name: llm.base_url.rstrip("/") or started[llm.name] for llm in pool.llms}


@contextmanager
def serve_servers(
    pool: Pool,
    *,
    state_dir: Path | None = None,
    log_dir: Path | None = None,
    timeout_s: float = 900.0,
    on_progress: Progress | None = None,
) -> Iterator[list[VLLMServer]]:
    """Do as `serve`, but yield the servers, for who wants to watch them."""
    if not 0 < timeout_s < math.inf:
        raise ValueError(f"timeout_s must be a finite number of seconds above 0, got {timeout_s:g}.")
    logs = log_dir or (state_dir or endpoints.state_dir()) / "logs" / quote(pool.name, safe="")
    servers: list[VLLMServer] = []
    with endpoints.claim(pool, state_dir) as path, sigterm_raises(SystemExit, 128 + signal.SIGTERM):
        try:
            for llm in pool.llms:
                if not llm.base_url:
                    servers.append(VLLMServer(pool, llm, logs / f"{quote(llm.name, safe='')}.log"))
            _check_ports(servers)
            _start_and_wait(servers, timeout_s, on_progress or (lambda name, stage: None))
            endpoints.write_endpoints(path, {server.llm.name: server.describe() for server in servers})
            yield servers
        finally:
            _stop(servers)


def _check_ports(servers: list[VLLMServer]) -> None:
    by_port: dict[int, str] = {}
    for server in servers:
        if server.port in by_port:
            raise ServingError(
                f"LLMs {by_port[server.port]!r} and {server.llm.name!r} have the same port {server.port}: "
                "give `port` in each LLM's own serve table, or nowhere to take free ones."
            )
        by_port[server.port] = server.llm.name


def _start_and_wait(servers: list[VLLMServer], timeout_s: float, on_progress: Progress) -> None:
    deadline = time.monotonic() + timeout_s
    stages = dict.fromkeys((server.llm.name for server in servers), "")
    while waiting := [server for server in servers if stages[server.llm.name] != "ready"]:
        for server in waiting:
            if server.process is None:
                if any(other.process is not None and server.disturbs(other) for other in waiting):
                    continue
                server.start()
            stage = server.stage()
            if stage == "failed":
                raise ServingError(server.failure())
            if stage != stages[server.llm.name]:
                stages[server.llm.name] = stage
                on_progress(server.llm.name, stage)
        if time.monotonic() > deadline:
            late = [name for name, stage in stages.items() if stage != "ready"]
            raise ServingError(
                f"Not ready after {timeout_s:g} s: {', '.join(late)}. Allow more time, or see the logs in "
                f"{servers[0].log.parent}."
            )
        time.sleep(POLL_S)


def _stop(servers: list[VLLMServer]) -> None:
    for server in servers:
        server.ask_to_stop()
    for server in servers:
        server.wait_stopped()
