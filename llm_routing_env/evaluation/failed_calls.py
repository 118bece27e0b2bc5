"""Calls that failed: of which LLM, how many, and what it said first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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
    """

    n_calls: int = 0
    n_failed: int = 0
    first_error: str = ""

    def __add__(self, other: "Calls") -> "Calls":
        first = self.first_error or other.first_error
        return Calls(self.n_calls + other.n_calls, self.n_failed + other.n_failed, first)

    @property
    def is_down(self) -> bool:
        """Whether so many failed that nothing is known of the LLM but this."""
        return self.n_failed > 0 and self.n_failed >= DEAD * self.n_calls

    def document(self) -> dict[str, Any]:
        """Return everything, JSON-plain."""
        return {"calls": self.n_calls, "failed": self.n_failed, "first_error": self.first_error or None}


class LiveErrors:
    """Keeps which calls of live sessions failed, and why: no table knows."""

    def __init__(self, n_sessions: int, n_llms: int) -> None:
        """Begin with no call."""
        self._failed: list[list[bool]] = []
        self._first = np.full((n_sessions, n_llms), "", dtype=object)

    def add(self, actions: Iterable[int], errors: Sequence[str | None] | None) -> None:
        """Take note of a step: whom each session asked, and the errors; None where there was none at all."""
        told: Sequence[str | None] = [None] * len(self._first) if errors is None else errors
        self._failed.append([error is not None for error in told])
        for session, (llm, error) in enumerate(zip(actions, told, strict=True)):
            if error is not None:
                self._first[session, llm] = self._first[session, llm] or error

    @property
    def arrays(self) -> tuple[Mask, Texts]:
        """What `SessionLog` keeps: `failed` and `first_errors`."""
        return np.array(self._failed, dtype=bool).T, self._first.astype(np.str_)


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
    errors = [_first_error(problem, log, drawn, failed, llm) if n else "" for llm, n in enumerate(n_failed)]
    return {
        name: Calls(*of_llm) for name, *of_llm in zip(problem.task.llm_names, n_calls, n_failed, errors, strict=True)
    }


def in_all(groups: Iterable[Mapping[str, Calls]]) -> dict[str, Calls]:
    """Return the calls of several agents or contexts together, by LLM."""
    total: dict[str, Calls] = {}
    for of_one in groups:
        for llm, calls in of_one.items():
            total[llm] = total.get(llm, Calls()) + calls
    return total


def _first_error(problem: "RoutingProblem", log: "SessionLog", drawn: "Drawn", failed: Mask, llm: int) -> str:
    """Return the first error of an LLM that has one: of the first session with one."""
    if log.first_errors is not None:
        return next((text for text in log.first_errors[:, llm].tolist() if text), "")
    session, step = np.argwhere(failed & (log.actions == llm))[0]
    place = drawn.queries[session, step], llm, drawn.repeats[session, step]
    return problem.table.text("error", *map(int, place)) or ""
