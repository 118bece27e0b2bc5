"""How far long work is: a bar on a terminal; into a file, nothing or a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from llm_routing_env.terminal import Terminal

_LINE_EVERY_S = 10.0
_DESCRIPTION = TextColumn("{task.description}", markup=False)


Tell = Callable[[float], None]


def counted(console: Terminal) -> Progress:
    """Return a bar of work that is counted."""
    return _bar(console, MofNCompleteColumn())


def _bar(console: Terminal, how_far: ProgressColumn) -> Progress:
    columns = (_DESCRIPTION, BarColumn(bar_width=None), how_far, TimeRemainingColumn(compact=True))
    is_watched = console.is_terminal
    # Rich would leave an empty line of a bar that is not shown, before version 15.
    return Progress(
        *columns, console=console if is_watched else Terminal(quiet=True), transient=True, disable=not is_watched
    )


def working(console: Terminal, what: str) -> AbstractContextManager[object]:
    """Show on a terminal that something is being done, for the length of a block."""
    return console.status(what) if console.is_terminal else nullcontext()


@contextmanager
def share_shown(console: Terminal, what: str) -> Iterator[Tell]:
    """Show a bar, or a line every ten seconds, of work whose end is not known in units.

    Yields:
        What is told the share done, from 0 to 1.
    """
    last = time.monotonic()
    with _bar(console, TaskProgressColumn()) as progress:
        bar = progress.add_task(what, total=1.0)

        def tell(share: float) -> None:
            nonlocal last
            progress.update(bar, completed=share)
            if not console.is_terminal and time.monotonic() - last >= _LINE_EVERY_S:
                last = time.monotonic()
                console.print(f"{what}: {share:.0%}", markup=False, highlight=False, soft_wrap=True)

        yield tell
