"""Tables on narrow terminals and in encodings that lack characters: nothing is cut, and nothing fails."""

import io
import os
import subprocess
import sys

import pytest
from commands import pickllm

from llm_routing_env.cli.columns import print_table
from llm_routing_env.terminal import Terminal

HEADINGS = ("name", "words", "one", "two", "three")
ROWS = [
    ["[bold]a group[/]"],
    ["an-llm-of-a-long-name-0.1b", "bandit", "0.123", "12 [1, 20]".replace("[", r"\["), "7 ms"],
    [],
    ["b", "", "-", "1", "100 ms"],
]


def printed(width: int) -> str:
    file = io.StringIO()
    print_table(Terminal(file=file, width=width), HEADINGS, ROWS, left=("words",))
    return file.getvalue()


def test_a_wide_table_is_one_part():
    assert [line.split() for line in printed(80).splitlines() if "an-llm" in line] == [
        ["an-llm-of-a-long-name-0.1b", "bandit", "0.123", "12", "[1,", "20]", "7", "ms"]
    ]


@pytest.mark.parametrize("width", [60, 40, 30])
def test_a_narrow_one_has_parts_with_every_cell_whole(width: int):
    lines = printed(width).splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for cell in ("bandit", "0.123", "12 [1, 20]", "7 ms", "100 ms", *HEADINGS[1:]):
        assert text.count(cell) == 1, cell
    assert text.count("a group") == text.count("name  ") > 1
    assert "…" not in text


@pytest.mark.parametrize("columns", [80, 60, 40])
@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "nano"),
        ("agents",),
        ("demo", "--length", "4"),
        ("compare", "--sessions", "2", "--length", "4", "--agents", "random,ucb1"),
    ],
    ids=["inspect", "agents", "demo", "compare"],
)
def test_commands_hold_at(arguments: tuple[str, ...], columns: int):
    done = pickllm(*arguments, columns=columns)
    assert done.returncode == 0, done.stderr
    assert "…" not in done.stdout
    rules = [line for line in done.stdout.splitlines() if set(line.strip()) == {"─"}]
    assert rules
    assert max(map(len, rules)) <= columns


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_an_encoding_lacks_is_written_otherwise(encoding: str):
    raw = io.BytesIO()
    console = Terminal(file=io.TextIOWrapper(raw, encoding=encoding), width=60)
    console.print("bar ████, more…, 漢, é")
    console.file.flush()
    text = raw.getvalue().decode(encoding)
    assert text.startswith("bar ####, more")
    assert r"\u6f22" in text
    assert text.rstrip().endswith("é" if encoding == "cp1252" else r"\xe9")


def test_help_holds_where_boxes_do_not():
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "40"}
    command = [sys.executable, "-m", "llm_routing_env", "compare", "--help"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert done.stdout.isascii()
    assert b"--sweep-sessions" in done.stdout
    assert b"..." not in done.stdout
