"""Tables that hold on a narrow terminal: nothing is cut, columns that do not fit follow below, names again first."""

from collections.abc import Collection, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_GAP = 2
_LEAST = 12  # of the names: narrower, nobody could read them


def print_table(
    console: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    left: Collection[str] = (),
) -> None:
    """Print a table in as many parts as the console's width asks for.

    Args:
        console: Where.
        headings: Of the columns; the first has the names, which go on in the next line where they are too long.
        rows: Cells as markup; a row may be shorter than the others, and an empty one draws a line.
        title: Stands above.
        left: Headings of the columns of words; numbers stand on the right.
    """
    if title:
        console.print(f"\n[italic]{title}[/]\n", highlight=False)
    others = list(range(1, len(headings)))
    while others:
        parts = (_part(console, headings, rows, others[:n], left) for n in range(len(others), 0, -1))
        part = next(part for part in parts if len(part.columns) == 2 or _width(console, part) <= console.width)
        console.print(part, highlight=False)
        others = others[len(part.columns) - 1 :]
        if others:
            console.print()


def _part(
    console: Console, headings: Sequence[str], rows: Sequence[Sequence[str]], others: list[int], left: Collection[str]
) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    widest = max(_cell_len([headings[other], *_cells(rows, other)]) for other in others)
    room = min(console.width - _GAP - widest, console.width // 2)
    table.add_column(headings[0], overflow="fold", max_width=max(room, _LEAST))
    for other in others:
        if headings[other] in left:
            table.add_column(headings[other], overflow="fold")
        else:  # names of one family differ at their ends only: there stand the numbers
            table.add_column(headings[other], overflow="fold", justify="right", vertical="bottom")
    for row in rows:
        if row:
            table.add_row(*(row[column] if column < len(row) else "" for column in (0, *others)))
        else:
            table.add_section()
    return table


def _cells(rows: Sequence[Sequence[str]], column: int) -> list[str]:
    return [row[column] for row in rows if column < len(row)]


def _cell_len(cells: Sequence[str]) -> int:
    return max(max(map(len, Text.from_markup(cell).plain.split("\n"))) for cell in cells)


def _width(console: Console, table: Table) -> int:
    return Measurement.get(console, console.options.update_width(1000), table).maximum
