"""`pickllm` in processes that start within milliseconds: forked from one that has imported everything already."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

# What `pickllm record` imports, also later: typer reads its options with pydantic.
_PRELOADED = [
    "llm_routing_env.cli",
    "llm_routing_env.backends.asker",
    "llm_routing_env.backends.http_endpoints",
    "llm_routing_env.recording",
    "pydantic.fields",
]


def start(arguments: Sequence[str], folder: Path, output: Path, prepare: Callable[[], None] = int) -> BaseProcess:
    """Start `pickllm` with these arguments in a folder; `output` takes what it prints; `prepare` is called first."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=_main, args=(tuple(arguments), folder, output, prepare))
    process.start()
    return process


def _main(arguments: Sequence[str], folder: Path, output: Path, prepare: Callable[[], None]) -> None:
    os.chdir(folder)
    prepare()
    with open(output, "wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    from llm_routing_env.cli import main

    sys.argv = ["pickllm", *arguments]
    main()
