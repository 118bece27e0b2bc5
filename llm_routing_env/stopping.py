"""How a command ends whose work is not done: in part, or interrupted."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class IncompleteError(RuntimeError):
    """What was to be done is done in part; says what is kept and how to go on."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came: whoever keeps something on Ctrl-C keeps it then too."""


@contextmanager
def sigterm_raises(stop: type[BaseException], *arguments: object) -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, for the length of the block; only where nobody else handles it."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise stop(*arguments)

    is_main = threading.current_thread() is threading.main_thread()
    is_ours = is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if is_ours:
        signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def exit_code(stop: KeyboardInterrupt) -> int:
    """Return the exit code of who was interrupted, as shells count: 128 and the signal."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


def what_was_kept(stop: KeyboardInterrupt) -> str:
    """Return the line that an interrupted command ends in: the notes that were added to the exception on its way."""
    return " ".join(("Interrupted.", *getattr(stop, "__notes__", ())))
