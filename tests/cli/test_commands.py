"""What every command has: a line in the list of them, help with an example, choices, and one document by --json."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from commands import pickllm
from typer.core import TyperCommand, TyperGroup

from llm_routing_env import __version__
from llm_routing_env.cli import COMMANDS, _imported
from llm_routing_env.tables.load import load_table

LONG = "query_id,llm,prompt,accuracy,cost_usd,latency_s\na,x,hello,1,0.1,1\na,y,hello,0,0.2,2\n"
PRINT = ("demo", "agents", "serve", "ope")  # what they are for is what they print


def each() -> Iterator[tuple[str, TyperCommand]]:
    """Yield every command and what it is called, those of groups too."""
    for name in COMMANDS:
        found = _imported(name)
        if isinstance(found, TyperGroup):
            context = typer.Context(found)
            for under in found.list_commands(context):
                yield f"{name} {under}", found.get_command(context, under)  # type: ignore[misc]
        else:
            yield name, found


@pytest.fixture(scope="module")
def commands() -> dict[str, TyperCommand]:
    return dict(each())


def flags(command: TyperCommand) -> set[str]:
    return {flag for parameter in command.params for flag in parameter.opts}


def test_every_command_has_an_example_of_itself(commands):
    for name, command in commands.items():
        assert "Example: pickllm " in command.help, name
        assert f"pickllm {name}" in " ".join(command.help.split()), name


def test_whatever_is_counted_can_be_had_as_json_and_unsaid(commands):
    for name, command in commands.items():
        if name != "export croissant":  # it writes JSON, and prints it
            assert "--json" in flags(command), name
            assert name in PRINT or "--quiet" in flags(command), name


def test_help_and_what_stands_in_it_is_ascii(commands):
    for command in commands.values():
        texts = [command.help, *(getattr(parameter, "help", None) or "" for parameter in command.params)]
        assert all(text.isascii() for text in texts), command.name
    assert all(line.isascii() for _, line in COMMANDS.values())


def test_choices_are_listed_and_completed(commands):
    listed = {parameter.name: parameter.metavar for parameter in commands["compare"].params}
    assert listed["split"] == "train|test|all"
    assert listed["engine"] == "local|ray"
    assert listed["reward"] == "pickllm|additive|my_module:MyForm"
    (unit,) = [found for found in commands["import long"].params if found.name == "latency_unit"]
    context = typer.Context(commands["import long"])
    assert [item.value for item in unit.shell_complete(context, "m")] == ["ms", "min"]


def test_the_list_imports_no_command():
    code = (
        "import sys; from llm_routing_env.cli import app; app(['-h'], standalone_mode=False)\n"
        "print([name for name in sys.modules if name.startswith('llm_routing_env.') and name.count('.') > 1"
        " and not name.startswith('llm_routing_env.agents')])\n"
        "print('pyarrow' in sys.modules, 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\nFalse False\n")
    assert all(name in done.stdout for name in COMMANDS)


def test_the_version_by_either_module():
    assert pickllm("--version").stdout == f"pickllm {__version__}\n"
    command = [sys.executable, "-m", "llm_routing_env", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"pickllm {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("_PICKLLM_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("COMP_WORDS", "pickllm co")
    monkeypatch.setenv("COMP_CWORD", "1")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "pickllm co")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    assert "compare" in pickllm().stdout


def test_an_unknown_command_is_one_of_two_lines():
    done = pickllm("compair", columns=200)
    assert done.returncode == 2
    assert "compare" in done.stderr


def test_nothing_but_the_document_is_on_standard_output(tmp_path: Path):
    (tmp_path / "long.csv").write_text(LONG)
    imported = pickllm("import", "long", "long.csv", "out.parquet", "--context", "art", "--json", cwd=tmp_path)
    document = json.loads(imported.stdout)
    assert (document["queries"], document["llms"], document["contexts"]) == (1, ["x", "y"], ["art"])
    assert document["sha256"] == load_table(tmp_path / "out.parquet").sha256
    log = pickllm(
        "import-log", "long.csv", "log.parquet", "--propensity", "0.5", "--context", "a", "--json", cwd=tmp_path
    )
    assert json.loads(log.stdout) == {
        "log": "log.parquet",
        "choices": 2,
        "llms": 2,
        "queries": 1,
        "has_propensities": True,
    }
    demo = json.loads(pickllm("demo", "--length", "3", "--json").stdout)
    assert len(demo["steps"]) == 3
    assert demo["total_reward"] == pytest.approx(sum(step["reward"] for step in demo["steps"]))
    assert sum(demo["beliefs"].values()) == pytest.approx(1.0)


def test_quiet_commands_say_nothing(tmp_path: Path):
    (tmp_path / "long.csv").write_text(LONG)
    for arguments in (
        ("import", "long", "long.csv", "out.parquet", "--context", "art"),
        ("import-log", "long.csv", "log.parquet", "--context", "art"),
        ("verify", "out.parquet"),
        ("compare", "--sessions", "2", "--length", "4", "--agents", "random"),
    ):
        done = pickllm(*arguments, "-q", cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_piped_begins_with_what_is_said(tmp_path: Path):
    for arguments in (("compare", "--sessions", "2", "--length", "4", "--agents", "random"), ("inspect", "nano")):
        assert pickllm(*arguments, cwd=tmp_path).stdout[0].isalpha()
