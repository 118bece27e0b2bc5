"""The terminal: whatever is printed to it, control characters are spelled out, and what it cannot show."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from llm_routing_env.text import printable

_IN_ASCII = str.maketrans({"█": "#", "…": "..."})


class Terminal(Console):
    """A Rich console that text cannot steer: the only control characters it writes are Rich's own.

    Where its encoding lacks a character, that is spelled out too.

    Markup is still read in what is printed: text of strangers needs `rich.markup.escape`, or `markup=False`.
    """

    def __init__(self, **options: Any) -> None:
        """Take Rich's options."""
        super().__init__(emoji=False, **options)  # else a response's ":fire:" would become a picture

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return what Rich makes of something, its lines kept and every other control character spelled out."""
        for segment in super().render(renderable, options):
            if segment.control or (segment.text.isprintable() and self._can_show(segment.text)):
                yield segment
            else:
                lines = map(printable, self._shown(segment.text).split("\n"))
                yield Segment("\n".join(lines), segment.style)

    def _can_show(self, text: str) -> bool:
        return self.encoding.startswith("utf") or text.isascii()

    def _shown(self, text: str) -> str:
        if self._can_show(text):
            return text
        return text.translate(_IN_ASCII).encode(self.encoding, "backslashreplace").decode(self.encoding)
