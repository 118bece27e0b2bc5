"""A command line that cannot be meant is one line and code 2; a command without arguments is help."""

import pytest

from llm_routing_env.cli import main


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return exit code, output and errors of a command line."""
    monkeypatch.setattr("sys.argv", ["pickllm", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr()
    return stop.value.code or 0, said.out, said.err


@pytest.mark.parametrize(
    ("arguments", "named", "command"),
    [
        (["assign", "nano"], "--out", "pickllm assign"),
        (["nothing"], "'nothing'", "pickllm"),
        (["export", "minari"], "log", "pickllm export minari"),
        (["compare", "--sesions", "3"], "--sesions", "pickllm compare"),
        (["compare", "--sessions", "many"], "--sessions", "pickllm compare"),
        (["compare", "--sessions"], "--sessions", "pickllm"),
        (["--version=3"], "--version", "pickllm"),
    ],
)
def test_what_cannot_be_meant_is_one_line(monkeypatch, capsys, arguments, named, command):
    code, out, err = told(monkeypatch, capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("pickllm: ")  # and what the installed version of Click says
    assert named in err.casefold()
    assert f": try {command}" in err
    assert err.endswith(" -h.\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["export"]])
def test_a_command_that_needs_another_shows_its_help(monkeypatch, capsys, arguments):
    code, out, err = told(monkeypatch, capsys, *arguments)
    assert code in (0, 2)  # as the version of Typer has it
    assert (out + err).count("Usage: pickllm") == 1
    assert not err or "Usage: pickllm" in err  # nothing beside it


def test_the_version_is_no_error(monkeypatch, capsys):
    assert told(monkeypatch, capsys, "--version")[0] == 0
