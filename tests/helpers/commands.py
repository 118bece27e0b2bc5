"""`pickllm` in this process: starting one for each command takes longer than the command."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from llm_routing_env.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended, in the words of `subprocess`."""

    returncode: int
    stdout: str
    stderr: str


def pickllm(*arguments: object, cwd: Path | None = None, columns: int = 80) -> Done:
    """Run a command as it is typed, in a folder, on a terminal that is so wide and is none."""
    out, err, known = io.StringIO(), io.StringIO(), set(sys.modules)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["pickllm", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO())
        patch.setenv("COLUMNS", str(columns))
        if cwd is not None:
            patch.chdir(cwd)
        code = _exit_code()
    for name in set(sys.modules) - known:  # plug-ins: the next folder may have others of the same name
        if cwd is not None and str(getattr(sys.modules[name], "__file__", "")).startswith(str(cwd)):
            del sys.modules[name]
    return Done(code, out.getvalue(), err.getvalue())


def _exit_code() -> int:
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
