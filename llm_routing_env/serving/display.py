"""What `pickllm serve` shows: each server's progress, then the endpoints, until a signal comes."""

import json
import signal
import time
from pathlib import Path

from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from llm_routing_env.pools.pool import Pool
from llm_routing_env.serving.endpoints import ServingError
from llm_routing_env.serving.server import VLLMServer
from llm_routing_env.serving.servers import serve_servers
from llm_routing_env.stopping import exit_code
from llm_routing_env.terminal import Terminal

_WATCH_S = 0.5


def run_until_signal(
    pool: Pool,
    *,
    timeout_s: float = 900.0,
    log_dir: Path | None = None,
    as_json: bool = False,
    console: Terminal | None = None,
) -> int:
    """Serve a pool until Ctrl-C or SIGTERM, and return the exit status.

    Args:
        pool: The pool to serve.
        timeout_s: How long the servers may take until all are healthy.
        log_dir: Where the servers' logs go; by default beside the endpoints in the state directory.
        as_json: Print one JSON document once all are ready, and nothing else on standard output.
        console: Where everything else is shown; standard error with `as_json`, else standard output.

    Returns:
        0 if it was stopped while serving, 1 if every server died, 130 or 143 if a signal came before that.

    Raises:
        ServingError: A server could not be started, or the pool has none to start.
    """
    if all(llm.base_url for llm in pool.llms):
        raise ServingError(f"Every LLM of pool {pool.name!r} has a base_url: there is nothing to start, just use it.")
    console = console or Terminal(stderr=as_json)
    begun = time.monotonic()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A script that starts us in the background has it ignored; `kill -INT` must stop the servers all the same.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (
            _Display(pool, console) as display,
            serve_servers(pool, timeout_s=timeout_s, log_dir=log_dir, on_progress=display.update) as servers,
        ):
            display.stop()
            try:
                _report(pool, servers, as_json, console)
                console.print(f"Ready after {time.monotonic() - begun:.0f} s. Ctrl-C stops the servers.")
                return _watch(servers, console)
            except (KeyboardInterrupt, SystemExit):
                console.print("Stopping the servers.")
                return 0
    except KeyboardInterrupt as stop:
        return exit_code(stop)
    except SystemExit as termination:
        return int(termination.code or 0)


class _Display:
    """A line per server: on a terminal they are redrawn, elsewhere each change is printed once."""

    def __init__(self, pool: Pool, console: Terminal) -> None:
        texts = (TextColumn("{task.description}"), TextColumn("{task.fields[stage]}"))
        columns = (SpinnerColumn(finished_text="✓"), *texts, TimeElapsedColumn())
        self._console = console
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {
            llm.name: self._progress.add_task(escape(llm.name), total=1, stage="waiting")
            for llm in pool.llms
            if not llm.base_url
        }

    def __enter__(self) -> "_Display":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def update(self, name: str, stage: str) -> None:
        """Show a server's new stage."""
        self._progress.update(self._tasks[name], stage=stage, completed=int(stage == "ready"))
        if self._progress.disable:
            self._console.print(f"{escape(name)}: {stage}", highlight=False)

    def stop(self) -> None:
        """End the display; may be called twice."""
        self._progress.stop()


def _report(pool: Pool, servers: list[VLLMServer], as_json: bool, console: Terminal) -> None:
    by_name = {server.llm.name: server for server in servers}
    table = Table(Column("LLM", overflow="fold"), "endpoint", "log", title=f"Pool {escape(pool.name)}")
    for llm in pool.llms:
        server = by_name.get(llm.name)
        cells = (server.base_url, str(server.log)) if server else (llm.base_url, "not started here")
        table.add_row(escape(llm.name), *map(escape, cells))
    console.print(table)
    if as_json:
        urls = {llm.name: by_name[llm.name].base_url if llm.name in by_name else llm.base_url for llm in pool.llms}
        print(json.dumps({"pool": pool.name, "endpoints": urls}), flush=True)


def _watch(servers: list[VLLMServer], console: Terminal) -> int:
    """Report servers that die; return once none is left."""
    alive = list(servers)
    while alive:
        time.sleep(_WATCH_S)
        for server in [server for server in alive if server.has_ended()]:
            alive.remove(server)
            console.print(escape(server.failure()), style="red", highlight=False)
    console.print("No server is left.")
    return 1
