"""Connecting to a Ray cluster, with errors that say what to do."""

import logging
import os
import socket
import sys
from typing import Any

from llm_routing_env import __version__

PATIENCE_S = 5.0
MAX_RETRIES = 5  # of a task whose worker or machine was lost


def connect(address: str | None) -> Any:
    """Return the module `ray`, connected.

    Args:
        address: "host:port" of a cluster, or None to start one on this machine.

    Raises:
        ImportError: If Ray is not installed.
        RuntimeError: If the cluster cannot be reached, or its machines lack this version of the package.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('Engine ray needs Ray: pip install "llm-routing-env[ray]".') from error
    if not ray.is_initialized():
        _initialise(ray, address)
    _require_package(ray)
    return ray


def _initialise(ray: Any, address: str | None) -> None:
    try:
        if address is not None:  # Ray itself goes on trying for minutes
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), timeout=PATIENCE_S).close()
        # Ray puts the current folder first on its workers' path, where it shadows every package; not so for a client.
        hidden = ray.job_config.JobConfig(_client_job=not _searches_current_folder())
        ray.init(address=address or "local", job_config=hidden, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise RuntimeError(
            f"No Ray cluster answers at {address!r}: start one with `ray start --head`, or leave the address out. "
            f"({' '.join(str(error).split())[:200]})"
        ) from error


def _searches_current_folder() -> bool:
    return os.getcwd() in {os.path.abspath(path) for path in sys.path}


def _require_package(ray: Any) -> None:
    try:
        found = ray.get(ray.remote(num_cpus=1)(_version).remote())
    except (ImportError, ray.exceptions.RayError) as error:
        raise RuntimeError(
            f"The Ray cluster cannot import llm_routing_env: pip install llm-routing-env=={__version__} on it."
        ) from error
    if found != __version__:
        raise RuntimeError(f"The Ray cluster has llm-routing-env {found}, this is {__version__}: install the same.")


def _version() -> str:
    import llm_routing_env

    return llm_routing_env.__version__
