"""The terminal: whatever is printed to it, control characters are spelled out."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from llm_routing_env.text import printable


class Terminal(Console):
    """A Rich console that text cannot steer: the only control characters it writes are Rich's own.

    Markup is still read in what is printed: text of strangers needs `rich.markup.escape`, or `markup=False`.
    """

    def __init__(self, **options: Any) -> None:
        """Take Rich's options."""
        super().__init__(emoji=False, **options)  # else a response's ":fire:" would become a picture

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return what Rich makes of something, its lines kept and every other control character spelled out."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(printable, segment.text.split("\n"))), segment.style)
