"""Scenarios: what changes in the course of a session, as phases in which it does not."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.plug_ins import load
from llm_routing_env.tables.cells import Cells

_ARRAYS = ("accuracy", "cost_usd", "latency_s", "prompt_tokens", "completion_tokens", "failed")
# Each phase holds as many numbers as the table.
# From the table's own cells to those of each phase, with the step at which it begins; the first begins at step 0.
Phases = Sequence[tuple[int, Cells]]
Scenario = Callable[[Cells], Phases]


def load_function(name: str) -> Scenario:
    """Return the function that "my_module:my_scenario" names."""
    found: Scenario = load("scenario", name)
    return found


def phases_of(own: Cells, scenario: Scenario, *, is_live: bool = False) -> Phases:
    """Return the phases that a scenario makes of a table's cells.

    Args:
        own: The table's cells.
        scenario: The scenario.
        is_live: Whether LLMs are asked: then it can take them away, but not change what they answer.

    Raises:
        ValueError: If they do not begin at rising steps from 0, differ in shape, or leave a query without an LLM.
    """
    try:
        phases = [(step, cells) for step, cells in scenario(own)]
    except TypeError as error:
        raise ValueError(f"The scenario {scenario!r} must make a list of (first step, Cells): {error}.") from error
    steps = [step for step, _ in phases]
    are_whole = all(isinstance(step, int | np.integer) and not isinstance(step, bool) for step in steps)
    if not are_whole or not steps or steps[0] != 0 or sorted(set(steps)) != steps:
        raise ValueError(f"The phases of a scenario must begin at rising whole steps, the first at 0; got {steps}.")
    for step, cells in phases:
        _check(step, cells, own)
        changed = [name for name in _ARRAYS if not _same(getattr(cells, name), getattr(own, name))]
        if is_live and changed:
            raise ValueError(
                f"The phase from step {step} changes {', '.join(changed)}, but live LLMs answer as they do: then a "
                "scenario can change `available` only."
            )
        if not is_live and np.isnan(cells.accuracy.sum(axis=2))[cells.available].any():
            raise ValueError(f"The phase from step {step} lets an LLM be asked of which no outcome is known.")
    return phases


def _same(array: NDArray[Any], other: NDArray[Any]) -> bool:
    return array is other or np.array_equal(array, other, equal_nan=array.dtype.kind == "f")


def _check(step: int, cells: Cells, own: Cells) -> None:
    if not isinstance(cells, Cells):
        raise ValueError(f"The phase from step {step} must be Cells, got {type(cells).__name__}.")
    for name in (*_ARRAYS, "available"):
        expected, actual = getattr(own, name).shape, np.shape(getattr(cells, name))
        if actual != expected:
            raise ValueError(f"The phase from step {step} must have {name} of shape {expected}, got {actual}.")
    if cells.measures.keys() != own.measures.keys():
        raise ValueError(f"The phase from step {step} must have the measures {list(own.measures)}.")
    is_left = cells.available.any(axis=1)
    if not is_left.all():
        query = int(np.argmin(is_left))
        raise ValueError(f"The phase from step {step} leaves query {query} without an LLM that can be asked.")
