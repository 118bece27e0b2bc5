"""Calls that failed, and answers that were cut: of which LLM, how many, and what it said first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.facts import Facts
from llm_routing_env.tables.notes import DEAD

if TYPE_CHECKING:  # a log of sessions is made of what is kept here
    from llm_routing_env.envs.problem import RoutingProblem
    from llm_routing_env.evaluation.drawn import Drawn
    from llm_routing_env.evaluation.sessions import SessionLog

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Texts = NDArray[np.str_]


@dataclass(frozen=True)
class Calls:
    """Calls of one LLM.

    Attributes:
        n_calls: How many there were.
        n_failed: How many of them failed.
        first_error: What the first of those said, a text of strangers; "" where none failed, or nothing is known.
        first_step: The step of its session in which that was.
        n_cut: How many live answers were cut at `max_tokens`; of recorded ones the table's notes tell.
    """

    n_calls: int = 0
    n_failed: int = 0
    first_error: str = ""
    first_step: int = 0
    n_cut: int = 0

    @property
    def is_down(self) -> bool:
        """Whether so many failed that nothing is known of the LLM but this."""
        return self.n_failed > 0 and self.n_failed >= DEAD * self.n_calls

    def document(self) -> dict[str, Any]:
        """Return everything, JSON-plain."""
        counts = {"calls": self.n_calls, "failed": self.n_failed, "cut": self.n_cut}
        return counts | {"first_error": self.first_error or None}


class LiveCalls:
    """Keeps which calls of live sessions failed, and why, which answers were cut, and their tokens: no table knows."""

    def __init__(self, n_sessions: int, n_llms: int) -> None:
        """Begin with no call."""
        self._failed: list[list[bool]] = []
        self._cut: list[list[bool]] = []
        self._tokens: list[list[Sequence[int]]] = []
        self._first = np.full((n_sessions, n_llms), "", dtype=object)

    def add(
        self,
        actions: Iterable[int],
        errors: Sequence[str | None] | None,
        cut: Sequence[bool],
        tokens: Sequence[Sequence[int]],
    ) -> None:
        """Take note of a step.

        Args:
            actions: Whom each session asked.
            errors: What came of it; None where there was no error at all.
            cut: Whether the answer was cut.
            tokens: How many were read, and how many were written, by session.
        """
        told: Sequence[str | None] = [None] * len(self._first) if errors is None else errors
        self._failed.append([error is not None for error in told])
        self._cut.append([bool(is_cut) for is_cut in cut])
        self._tokens.append(list(tokens))
        for session, (llm, error) in enumerate(zip(actions, told, strict=True)):
            if error is not None:
                self._first[session, llm] = self._first[session, llm] or error

    @property
    def arrays(self) -> dict[str, Any]:
        """What `SessionLog` keeps, by name."""
        failed, cut = (np.array(steps, dtype=bool).T for steps in (self._failed, self._cut))
        tokens = np.array(self._tokens, dtype=np.int64).transpose(2, 0, 1)  # from (steps, 2, sessions)
        return {"failed": failed, "first_errors": self._first.astype(np.str_), "cut": cut, "tokens": tokens}


def calls_of(problem: "RoutingProblem", log: "SessionLog", drawn: "Drawn") -> dict[str, Calls]:
    """Return the calls in some sessions, by LLM.

    Args:
        problem: What was routed.
        log: What happened; of recorded outcomes the table knows which failed.
        drawn: The same sessions as they were drawn.
    """
    n_llms, failed = len(problem.task.llm_names), log.failed
    if failed is None:
        failed = problem.cells.failed[drawn.rows, log.actions, drawn.repeats]
    n_calls, n_failed = (
        np.bincount(actions, minlength=n_llms).tolist() for actions in (log.actions.ravel(), log.actions[failed])
    )
    cut = log.actions[log.cut] if log.cut is not None else np.empty(0, dtype=np.int64)
    n_cut = np.bincount(cut, minlength=n_llms).tolist()
    firsts = [_first_error(problem, log, drawn, failed, llm) if n else ("", 0) for llm, n in enumerate(n_failed)]
    found = zip(problem.task.llm_names, n_calls, n_failed, firsts, n_cut, strict=True)
    return {name: Calls(n, n_of_failed, *first, n_of_cut) for name, n, n_of_failed, first, n_of_cut in found}


def side_by_side(groups: Sequence[Mapping[str, Calls]]) -> dict[str, Calls]:
    """Return the calls of sessions that ran side by side, by LLM: the first error is that of the earliest step."""
    by_step = {llm: sorted((group[llm] for group in groups), key=lambda calls: calls.first_step) for llm in groups[0]}
    return {llm: _sum(calls) for llm, calls in by_step.items()}


def one_after_another(groups: Sequence[Mapping[str, Calls]]) -> dict[str, Calls]:
    """Return the calls of several agents, by LLM: the first error is that of the first agent that has one."""
    return {llm: _sum([group[llm] for group in groups]) for llm in (groups[0] if groups else ())}


def _sum(calls: Sequence[Calls]) -> Calls:
    first = next((one for one in calls if one.first_error), Calls())
    n_calls, n_failed, n_cut = (sum(getattr(one, name) for one in calls) for name in ("n_calls", "n_failed", "n_cut"))
    return Calls(n_calls, n_failed, first.first_error, first.first_step, n_cut)


def _first_error(
    problem: "RoutingProblem", log: "SessionLog", drawn: "Drawn", failed: Mask, llm: int
) -> tuple[str, int]:
    """Return the first error of an LLM that has one, and its step.

    By step, as later ones say less: an LLM that goes on failing is left alone, and its errors say no more than that.
    """
    step, session = np.argwhere((failed & (log.actions == llm)).T)[0].tolist()
    if log.first_errors is not None:
        return str(log.first_errors[session, llm]), step
    cell = problem.cells.number(drawn.rows[session, step], drawn.repeats[session, step]) + llm
    return Facts(problem, "none").outcome(int(cell)).error or "", step
