"""One vLLM server of a pool: its address, its process, its log, and what stage it is in."""

import http.client
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.pools.provenance import serving_identity
from llm_routing_env.serving import guard as guard_script
from llm_routing_env.serving.endpoints import ServingError
from llm_routing_env.serving.flags import memory_advice, server_command

STOP_GRACE_S = 10.0
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_CAUSE = re.compile(r"(Error|Exception|error): (?!Engine core initialization failed)")
_LOG_PREFIX = re.compile(r"^\(\w+ pid=\d+\) (ERROR [\d-]+ [\d:]+ \[[^]]*\] )?")


class VLLMServer:
    """A vLLM server for one LLM; nothing runs before `start`.

    Attributes:
        llm: The LLM it serves.
        base_url: Where it answers, ending in "/v1".
        log: The file that takes its output.
        process: The guard that runs it, once started.
    """

    def __init__(self, pool: Pool, llm: LLMSpec, log: Path) -> None:
        """Check what can be checked before a start, and reserve the port.

        Raises:
            ServingError: No vLLM, no such model folder, a missing API key, or a busy port.
        """
        self.pool, self.llm, self.log = pool, llm, log
        self.process: subprocess.Popen[bytes] | None = None
        self._folder = pool.path.parent if pool.path else Path.cwd()
        flags = {**pool.serve, **llm.serve}
        host = str(flags.get("host", "127.0.0.1"))
        self._check_model()
        self._environment = self._server_environment()
        self._measures_memory = not {"kv-cache-memory-bytes", "kv_cache_memory_bytes"} & flags.keys()
        self._reservation = _reserve(host, int(flags.get("port", 0)), llm.name)
        self.port: int = self._reservation.getsockname()[1]
        self.host = _ANY_HOST.get(host, host)
        self._command = server_command(pool, llm, host, self.port)
        self.base_url = f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/v1"

    def describe(self) -> dict[str, Any]:
        """Return what others may want to know: base_url, pid (of the guard), log, and what decides its answers."""
        pid = self.process.pid if self.process else None
        answers = serving_identity(self.pool, self.llm)
        return {"base_url": self.base_url, "pid": pid, "log": str(self.log), "answers": answers}

    def disturbs(self, other: "VLLMServer") -> bool:
        """Return whether the two must not start together.

        While it loads, vLLM takes whatever the memory of its GPU loses for its own use: what another takes meanwhile
        is missing from its cache, or leaves it none.
        """
        measures = self._measures_memory or other._measures_memory
        mine, others = self._devices(), other._devices()
        return measures and (not mine or not others or not mine.isdisjoint(others))

    def start(self) -> None:
        """Start the server and return at once."""
        if sys.platform != "linux":
            self._reservation.close()  # elsewhere a second socket cannot bind the port, even if none listens
        guard = [sys.executable, "-I", "-S", guard_script.__file__, str(os.getpid()), str(STOP_GRACE_S)]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                guard + self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._folder,  # paths in flags are relative to the TOML file
                start_new_session=True,
            )

    def stage(self) -> str:
        """Return "starting" (vLLM is being imported), "loading" (the LLM is), "ready" or "failed"."""
        if self.has_ended():
            return "failed"
        if self._is_healthy():
            return "ready"
        return "loading" if self.log.stat().st_size > 0 else "starting"

    def has_ended(self) -> bool:
        """Return whether the server's process is gone."""
        return self.process is None or self.process.poll() is not None

    def ask_to_stop(self) -> None:
        """Tell the guard to end the server; returns at once."""
        self._reservation.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait_stopped(self) -> None:
        """Wait until the server's processes are gone."""
        if self.process is None:
            return
        try:
            self.process.wait(STOP_GRACE_S + 10)
        except subprocess.TimeoutExpired:  # a guard that is stuck: its end ends the server as well
            self.process.kill()

    def failure(self) -> str:
        """Return what is known of a server that ended by itself: cause, last log lines, what to do."""
        status = self.process.poll() if self.process else None
        lines = [_LOG_PREFIX.sub("", line) for line in _tail(self.log) if line.strip()]
        causes = [line.strip() for line in lines if _CAUSE.search(line)]
        note = ""
        if not Path(self.pool.model_path(self.llm)).is_dir():
            note = f" (There is no folder {self.llm.model!r}: vLLM took it for a Hugging Face id.)"
        shown = "\n".join(f"    {line}" for line in lines[-8:])
        return (
            f"The vLLM server of LLM {self.llm.name!r} ended with status {status}: "
            f"{causes[-1].rstrip('.') if causes else 'no error in its log'}.{note}{memory_advice(causes)}\n"
            f"Check the model and the flags in {self.pool.path}. Last lines of {self.log}:\n{shown}"
        )

    def _devices(self) -> set[str]:
        """Return the GPUs that it may see; empty: all of them."""
        return set(self._environment.get("CUDA_VISIBLE_DEVICES", "").replace(" ", "").split(",")) - {""}

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=2.0)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _check_model(self) -> None:
        folder = self._folder / self.llm.model
        is_path = self.llm.model.startswith((".", "/")) or self.llm.model.count("/") > 1
        beside = folder.parent != folder and "/" in self.llm.model and folder.parent.is_dir()
        if (is_path or beside) and not Path(self.pool.model_path(self.llm)).is_dir():
            raise ServingError(
                f"The model folder of LLM {self.llm.name!r} does not exist: {folder.resolve()}. "
                f"Correct `model` in {self.pool.path}, or fetch the weights."
            )

    def _server_environment(self) -> dict[str, str]:
        declared = {**self.pool.environment, **self.llm.environment}
        # vLLM reports usage statistics to its makers unless told not to; that is for the user to switch on.
        environment = {"VLLM_NO_USAGE_STATS": "1", **os.environ, **declared}
        if variable := self.llm.api_key_env:
            if not environment.get(variable):
                raise ServingError(f"LLM {self.llm.name!r} needs its API key in the environment variable {variable}.")
            environment["VLLM_API_KEY"] = environment[variable]  # not a flag: those show in the process list
        return environment


def _reserve(host: str, port: int, name: str) -> socket.socket:
    """Return a bound socket that does not listen: it keeps the port until the server binds it as well."""
    reservation = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reservation.bind((host, port))
    except OSError as error:
        reservation.close()
        raise ServingError(
            f"LLM {name!r} cannot be served on {host} port {port}: {error.strerror or error}. "
            "Give another `port` in its serve table, or none to take a free one."
        ) from error
    return reservation


def _tail(path: Path, size: int = 65536) -> list[str]:
    with open(path, "rb") as log:
        log.seek(max(0, path.stat().st_size - size))
        return log.read().decode(errors="replace").splitlines()
