"""What commands refuse in one line, whatever it is that would be made of it."""

from pathlib import Path

import pytest
from commands import pickllm

TRAIN = ("train", "hull_router", "--out", "x.npz")
ASSIGN = ("assign", "nano", "--budget-usd", "1", "--out", "x.csv")


def refused(folder: Path, *arguments: object) -> str:
    """Return the one line with which a command refuses its input."""
    done = pickllm(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert not list(folder.glob("x.*"))
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("pickllm: ").strip()


@pytest.mark.parametrize("command", [TRAIN, ASSIGN, ("demo",), ("inspect",)], ids=lambda command: command[0])
def test_a_seed_is_a_whole_number(tmp_path: Path, command: tuple[str, ...]):
    assert refused(tmp_path, *command, "--seed", "-1") == "seed must be 0 or more and a whole number, got -1."


@pytest.mark.parametrize("argument", ["seed", "task", "n_sessions", "lifted"])
@pytest.mark.parametrize("command", [TRAIN, ASSIGN, ("demo", "--agent", "ucb1")], ids=lambda command: command[0])
def test_what_is_given_to_every_agent_is_no_hyperparameter(tmp_path: Path, command: tuple[str, ...], argument: str):
    name = "ucb1" if "demo" in command else "hull_router"
    said = refused(tmp_path, *command, "--param", f"{name}.{argument}=1")
    assert said == f"{argument} of {name} is the command's to give: --seed decides."
