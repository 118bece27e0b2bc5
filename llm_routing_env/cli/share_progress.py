"""How far long work is, whose end is not known in units: a bar, or a line now and then where nobody watches one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from llm_routing_env.terminal import Terminal

_LINE_EVERY_S = 10.0


Tell = Callable[[float], None]


@contextmanager
def share_shown(console: Terminal, what: str) -> Iterator[Tell]:
    """Show a bar on a terminal, elsewhere a line every ten seconds; yields what is told the share done, from 0 to 1."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    last = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what, total=1.0)

        def tell(share: float) -> None:
            nonlocal last
            progress.update(bar, completed=share)
            if not console.is_terminal and time.monotonic() - last >= _LINE_EVERY_S:
                last = time.monotonic()
                console.print(f"{what}: {share:.0%}", markup=False, highlight=False, soft_wrap=True)

        yield tell
