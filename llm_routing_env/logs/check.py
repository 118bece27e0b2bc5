"""What cannot be in a log, in one line each."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from llm_routing_env.logs.log import Log

Mask = NDArray[np.bool_]
_NUMBERS = ("accuracy", "cost_usd", "latency_s")


def check_log(log: "Log") -> None:
    """Raise ValueError where a log says what cannot be; names the step, its session and its agent."""
    if not len(log):
        raise ValueError("The log has no row.")
    _check_order(log)
    n_llms = len(log.llm_names)
    _refuse(log, (log.action < 0) | (log.action >= n_llms), f"an action from 0 to {n_llms - 1}", log.action)
    chance = log.propensity
    _refuse(log, (chance <= 0) | (chance > 1), "a propensity above 0 and at most 1", chance)
    _refuse(log, (log.accuracy < 0) | (log.accuracy > 1), "an accuracy from 0 to 1", log.accuracy)
    for name in ("cost_usd", "latency_s"):
        values = getattr(log, name)
        _refuse(log, (values < 0) | np.isinf(values), f"a finite {name} of 0 or more", values)
    _refuse(log, np.isinf(log.reward), "a finite reward", log.reward)
    _refuse(log, log.phase < 0, "a phase of 0 or more", log.phase)
    if log.mask is not None:
        masked = ~log.mask[np.arange(len(log)), log.action]
        if masked.any():
            name = log.llm_names[int(log.action[np.argmax(masked)])]
            raise ValueError(f"{name_of_row(log, masked)}: {name} was asked, which the action mask of the row forbids.")


def name_of_row(log: "Log", where: Mask) -> str:
    """Return what people call the first row of a mask."""
    row = int(np.argmax(where))
    return f"step {log.step[row]} of session {log.session[row]} of {log.agents[log.agent[row]]}"


def _check_order(log: "Log") -> None:
    """Check that each session's steps count from 0."""
    begins = np.append(True, (np.diff(log.session) != 0) | (np.diff(log.agent) != 0))
    first = np.maximum.accumulate(np.where(begins, np.arange(len(log)), 0))
    expected = np.arange(len(log)) - first
    wrong = log.step != expected
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{name_of_row(log, wrong)}: expected step {expected[row]}; the steps of a session count 0, 1, 2, ..., "
            "each of them once."
        )


def _refuse(log: "Log", wrong: Mask, expected: str, found: NDArray[Any]) -> None:
    if wrong.any():
        raise ValueError(f"{name_of_row(log, wrong)}: expected {expected}, found {found[np.argmax(wrong)]}.")
