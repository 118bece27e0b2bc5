"""`pickllm` in processes that start within milliseconds: forked from one that has imported everything already."""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

# What `pickllm record` imports, also later: typer reads its options with pydantic.
_PRELOADED = [
    "llm_routing_env.cli",
    "llm_routing_env.backends.vllm_http",
    "llm_routing_env.recording",
    "pydantic.fields",
]


def start(arguments: Sequence[str], folder: Path, output: Path) -> BaseProcess:
    """Start `pickllm` with these arguments in a folder; `output` takes what it prints."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=_main, args=(tuple(arguments), folder, output))
    process.start()
    return process


def _main(arguments: Sequence[str], folder: Path, output: Path) -> None:
    os.chdir(folder)
    with open(output, "wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    from llm_routing_env.cli import main

    sys.argv = ["pickllm", *arguments]
    main()
