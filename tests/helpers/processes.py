"""Looking at processes, for tests that make sure that none is left behind (Linux: reads /proc)."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def with_in_environment(text: str) -> list[int]:
    """Return the running processes that have `text` in their environment: all descendants of who set it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "environ").read_bytes() and not _is_zombie(folder):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _is_zombie(folder: Path) -> bool:
    return (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"


def all_ended(text: str, timeout_s: float = 30.0) -> bool:
    """Return whether all processes with `text` in their environment end in time; those that do not are killed."""
    in_time = wait_until(lambda: not with_in_environment(text), timeout_s)
    for pid in with_in_environment(text):
        os.kill(pid, signal.SIGKILL)
    return in_time


def default_signals() -> None:
    """Heed signals again in a child (for `preexec_fn`): a suite run in the background inherits some as ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> bool:
    """Return whether the condition comes true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
