"""`pickllm serve`: start a pool's vLLM servers."""

from pathlib import Path
from typing import Annotated

import typer

from llm_routing_env.cli import options
from llm_routing_env.pools.pool import load_pool, shipped_pools


def serve(
    pool: Annotated[str, typer.Argument(help=f"A pool's name ({', '.join(shipped_pools())}), or its TOML file.")],
    timeout_s: Annotated[float, typer.Option(help="Seconds until all servers must be healthy.")] = 900.0,
    log_dir: Annotated[Path | None, typer.Option(help="Folder for the servers' logs.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Start one vLLM server per LLM, wait until all are ready, print the endpoints, stop them on Ctrl-C.

    Example: pickllm serve nano --log-dir logs
    """
    from llm_routing_env.serving.display import run_until_signal

    raise typer.Exit(run_until_signal(load_pool(pool), timeout_s=timeout_s, log_dir=log_dir, as_json=as_json))
