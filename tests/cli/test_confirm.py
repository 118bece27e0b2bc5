"""Before money is spent without a bound somebody is asked."""

import io
import sys

import pytest

from llm_routing_env.cli.confirm import confirm
from llm_routing_env.pools.estimate import Estimate

CHARGED = Estimate(600, 1.0, 2.0, 9.0, is_charged=True)
LINE = f"Live LLMs get {CHARGED}."


class _Stdin(io.StringIO):
    def __init__(self, typed: str, *, is_terminal: bool) -> None:
        super().__init__(typed)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("estimate", "bounds"),
    [
        (CHARGED, {"max_usd": 1.0}),
        (CHARGED, {"max_usd": 0.0}),
        (CHARGED, {"max_requests": 10}),
        (CHARGED, {"yes": True}),
        (Estimate(600, 1.0, 2.0, 9.0), {}),  # it has a price, but nobody charges for it
    ],
)
def test_bounds_yes_and_machines_of_ones_own_need_no_question(
    estimate: Estimate, bounds: dict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "stdin", _Stdin("", is_terminal=False))
    confirm(estimate, **{"max_usd": None, "max_requests": None, "yes": False} | bounds)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"{LINE}\n")


def test_where_nobody_can_be_asked_it_ends_and_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "stdin", _Stdin("y\n", is_terminal=False))
    with pytest.raises(ValueError, match=r"give --max-usd, or --yes"):
        confirm(CHARGED, max_usd=None, max_requests=None, yes=False, more="And so on.")
    assert capsys.readouterr().err == f"{LINE} And so on.\n"


@pytest.mark.parametrize(("typed", "is_wanted"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_at_a_terminal_the_answer_counts(
    typed: str, is_wanted: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "stdin", _Stdin(typed, is_terminal=True))
    if is_wanted:
        confirm(CHARGED, max_usd=None, max_requests=None, yes=False)
    else:
        with pytest.raises(RuntimeError, match="Nothing was sent"):
            confirm(CHARGED, max_usd=None, max_requests=None, yes=False)
    said = capsys.readouterr()
    assert said.out == ""  # which may be a file
    assert said.err.startswith(f"{LINE}\nThat costs money and no --max-usd bounds it. Go on? [y/N]")
