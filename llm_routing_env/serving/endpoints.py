"""Where a pool's LLMs answer: the addresses that `pickllm serve` leaves in the user's state directory."""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from platformdirs import user_state_dir

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.cache import made
from llm_routing_env.pools.pool import Pool, shipped_pools
from llm_routing_env.pools.provenance import serving_identity

try:
    import fcntl
except ImportError:  # Windows, where nothing is served
    fcntl = None  # type: ignore[assignment]

STATE_DIR_VARIABLE = "PICKLLM_STATE_DIR"


class ServingError(RuntimeError):
    """The servers of a pool cannot be started or found; the message says what to do."""


def state_dir() -> Path:
    """Return the folder of endpoints and server logs: $PICKLLM_STATE_DIR, else the user's state directory."""
    return Path(os.environ.get(STATE_DIR_VARIABLE) or user_state_dir("pickllm"))


def read_endpoints(pool: Pool) -> dict[str, str]:
    """Return the base URL of each of the pool's LLMs, by name.

    LLMs with a `base_url` are used there; the others must be being served by `pickllm serve` on this machine.

    Raises:
        ServingError: One line that names the command to run.
    """
    served: Mapping[str, str] = {}
    if missing := [llm.name for llm in pool.llms if not llm.base_url]:
        served = _read_served(pool)
        if absent := [name for name in missing if name not in served]:
            raise ServingError(
                f"The pool {pool.name!r} being served has no LLM {absent[0]!r}, only {sorted(served)}: "
                f"stop that `pickllm serve` and run `{serve_command(pool)}`."
            )
    return {llm.name: llm.base_url.rstrip("/") or served[llm.name] for llm in pool.llms}


def serve_command(pool: Pool) -> str:
    """Return the shell command that serves the pool."""
    return f"pickllm serve {pool.name if pool.name in shipped_pools() or not pool.path else pool.path}"


def _read_served(pool: Pool) -> dict[str, str]:
    path = _path(pool, None)
    if not _is_locked(path):
        raise ServingError(
            f"Pool {pool.name!r} is not being served here: run `{serve_command(pool)}` and keep it running."
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ServingError(
            f"Pool {pool.name!r} is still starting: wait until `{serve_command(pool)}` prints its endpoints."
        ) from None
    _require_same(pool, document["servers"])
    return {name: str(server["base_url"]) for name, server in document["servers"].items()}


def _require_same(pool: Pool, servers: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that what is served under the pool's name is the pool: other weights would answer in its place."""
    for llm in pool.llms:
        served = servers.get(llm.name, {}).get("answers")  # None: written by an earlier version, or not served
        meant = json.loads(json.dumps(serving_identity(pool, llm)))
        if llm.base_url or served is None or served == meant:
            continue
        key = next(key for key in sorted(served | meant) if served.get(key) != meant.get(key))
        raise ServingError(
            f"The pool {pool.name!r} is being served from another file: {llm.name!r} there has {key} "
            f"{served.get(key)!r}, here {meant.get(key)!r}. Stop that `pickllm serve` and run `{serve_command(pool)}`."
        )


@contextmanager
def claim(pool: Pool, folder: Path | None) -> Iterator[Path]:
    """Hold the pool for the length of the block: yield where its endpoints belong, removed at the end.

    The lock, not the file, says that a pool is being served: the kernel drops it however this process ends.

    Raises:
        ServingError: Another process serves this pool.
    """
    path = _path(pool, folder)
    made(path.parent, STATE_DIR_VARIABLE)
    with open(path.with_suffix(".lock"), "a+b") as lock:
        if not _try_lock(lock.fileno()):
            raise ServingError(
                f"Pool {pool.name!r} is already being served on this machine: use it as it is, "
                "or stop that `pickllm serve` first."
            )
        path.unlink(missing_ok=True)  # left by a server that was killed
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def write_endpoints(path: Path, servers: Mapping[str, Mapping[str, Any]]) -> None:
    """Write what the servers say of themselves, see `VLLMServer.describe`, atomically."""
    document = {"pid": os.getpid(), "servers": servers}
    with replacing(path) as new:
        new.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _path(pool: Pool, folder: Path | None) -> Path:
    # The host is in the name because clusters share home folders, and 127.0.0.1 is another machine there.
    return (folder or state_dir()) / f"{quote(pool.name, safe='')}@{socket.gethostname()}.json"


def _try_lock(file: int) -> bool:
    if fcntl is None:
        raise ServingError("Serving LLMs needs Linux or macOS: ask those of another machine, by their base_url.")
    for _ in range(10):  # a reader holds the lock for an instant while it looks
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.02)
    return False


def _is_locked(path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        with open(path.with_suffix(".lock"), "rb") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
