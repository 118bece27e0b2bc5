"""What strangers' texts may do to a terminal: nothing."""

import io

import pytest
from rich.markup import escape
from rich.progress import Progress, TextColumn
from rich.table import Table

from llm_routing_env.terminal import Terminal
from llm_routing_env.text import printable

EVIL = "\x1b[31m\x1b]0;title\x07\x9b2J\u202e[bold red] :fire:"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢 ✓", "plain é 漢 ✓"),
        ("\x1b[2J\nok\t", r"\x1b[2J\nok\t"),
        ("\x9b2J\x7f\u202e\u2028", r"\x9b2J\x7f\u202e\u2028"),
        ("\ud800", r"\ud800"),
    ],
)
def test_control_characters_are_spelled_out(text: str, shown: str):
    assert printable(text) == shown


def table() -> Table:
    rows = Table("LLM", escape(EVIL), title=escape(EVIL), caption=escape(EVIL))
    rows.add_row("a", escape(EVIL))
    return rows


@pytest.mark.parametrize("thing", [escape(EVIL), table()], ids=["text", "table"])
def test_whatever_is_printed_cannot_steer_a_terminal(thing):
    file = io.StringIO()
    Terminal(file=file, width=200).print(thing)
    assert file.getvalue().replace("\n", "").isprintable()
    assert "[bold red] :fire:" in file.getvalue()


def test_a_progress_line_cannot_either():
    file = io.StringIO()
    with Progress(TextColumn("{task.description}"), console=Terminal(file=file, width=200)) as progress:
        progress.add_task(escape(EVIL))
    assert file.getvalue().replace("\n", "").isprintable()
    assert file.getvalue().startswith(r"\x1b[31m")


def test_colours_and_lines_of_our_own_stay():
    file = io.StringIO()
    Terminal(file=file, force_terminal=True, color_system="standard", width=200).print(
        "a\n\x1b!", style="red", highlight=False
    )
    assert file.getvalue() == "\x1b[31ma\x1b[0m\n\x1b[31m\\x1b!\x1b[0m\n"
