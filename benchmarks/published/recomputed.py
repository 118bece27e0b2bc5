"""What the scripts of published tables share: inputs of one sha256, and rows of published beside recomputed numbers."""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script's own folder is searched, and not the one above

import results_file


@dataclass(frozen=True)
class Row:
    """A number that was published or follows from theory, and ours.

    Attributes:
        what: What it is of.
        published: None where there is nothing to hold it against.
        recomputed: Ours.
        low: Least number that agrees, inclusive; None: any.
        high: Greatest.
    """

    what: str
    published: float | None
    recomputed: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def near(cls, what: str, published: float, recomputed: float, within: float = 0.0) -> "Row":
        """Return a row that agrees within so much either way."""
        return cls(what, published, recomputed, published - within, published + within)

    @property
    def agrees(self) -> bool | None:
        """Whether it lies within the bounds; None without any."""
        if self.low is None and self.high is None:
            return None
        is_above = self.low is None or self.recomputed >= self.low - ROUNDING
        return is_above and (self.high is None or self.recomputed <= self.high + ROUNDING)

    def cells(self) -> tuple[str, ...]:
        """Return what is shown of it: what, published, recomputed, difference, and whether it is within its bounds."""
        published, difference = "-", "-"
        if self.published is not None:
            published, difference = shown(self.published), f"{_rounded(self.recomputed - self.published):+.2g}"
        return (
            self.what,
            published,
            shown(self.recomputed),
            difference,
            {True: "yes", False: "NO", None: "-"}[self.agrees],
        )


ROUNDING = 1e-10
HEADER = ("", "published", "recomputed", "difference", "within bounds")


def shown(number: float) -> str:
    """Return a number with four digits: behind the point, unless it is small."""
    return f"{number:.4f}" if abs(number) >= 0.01 or _rounded(number) == 0 else f"{number:.3e}"


def _rounded(number: float) -> float:
    """Return a number, 0 for what is rounding."""
    return 0.0 if abs(number) < ROUNDING else number


def checked(path: Path, sha256: str) -> bytes:
    """Return a file's bytes, or end with one line if they are not those that the numbers are of."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise refused(f"{path.name} must have sha256 {sha256}, got {found}: give the file that the numbers are of.")
    return data


def refused(message: str) -> typer.Exit:
    """Print a line to stderr and return what ends the script with code 2."""
    print(message, file=sys.stderr)
    return typer.Exit(2)


def publish(name: str, title: str, rows: Sequence[Row], inputs: Iterable[str]) -> None:
    """Print a table and write it to results/published_<name>.json.

    Args:
        name: Of the file.
        title: Of the table.
        rows: Its rows.
        inputs: sha256 of what it was computed from.
    """
    table = Table(title=title)
    for column in HEADER:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row.cells(), style="red" if row.agrees is False else None)
    Console(width=120).print(table)
    judged = [row.agrees for row in rows if row.agrees is not None]
    path = results_file.FOLDER / f"published_{name}.json"
    results_file.write(path, {"inputs_sha256": list(inputs)}, [asdict(row) for row in rows])
    print(f"{sum(judged)} of {len(judged)} within bounds; wrote {path}")
