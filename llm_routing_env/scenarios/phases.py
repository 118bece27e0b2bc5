"""Scenarios: what changes in the course of a session, as phases in which it does not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.plug_ins import load
from llm_routing_env.scenarios.event import Topics, is_whole
from llm_routing_env.tables.cells import Cells

_HIGHEST = {"accuracy": 1.0, "told": 1.0, "cost_usd": np.finfo(np.float64).max, "latency_s": np.finfo(np.float64).max}
_ARRAYS = ("accuracy", "cost_usd", "latency_s", "prompt_tokens", "completion_tokens", "failed")


@dataclass(frozen=True, eq=False)
class Phase:
    """A stretch of a session.

    Attributes:
        step: The step at which it begins, at the latest.
        cells: What calls give; each phase holds as many numbers as the table.
        topics: Which share of the queries comes from other contexts, by name or `NEXT`; the rest are its own's.
        draw: The number of the draw, of those of a session, by which it begins earlier; None: it begins at `step`.
        earlier: By how many steps at most; the same for all phases of one draw.
    """

    step: int
    cells: Cells
    topics: Topics = field(default_factory=dict)
    draw: int | None = None
    earlier: int = 0


# From the table's own cells to those of each phase, with the step at which it begins; the first begins at step 0.
Scenario = Callable[[Cells], Sequence[Phase | tuple[int, Cells]]]


def load_function(name: str) -> Scenario:
    """Return the function that "my_module:my_scenario" names."""
    found: Scenario = load("scenario", name)
    return found


def phases_of(own: Cells, scenario: Scenario, *, is_live: bool = False) -> list[Phase]:
    """Return the phases that a scenario makes of a table's cells.

    Args:
        own: The table's cells.
        scenario: The scenario.
        is_live: Whether LLMs are asked: then it can take them away, but not change what they answer.

    Raises:
        ValueError: If they do not begin at rising steps from 0, whatever is drawn, differ in shape, have numbers that
            cannot be, or leave a query without an LLM.
    """
    try:
        phases = [each if isinstance(each, Phase) else Phase(*_pair(each)) for each in scenario(own)]
    except TypeError as error:
        raise ValueError(f"The scenario {scenario!r} must make a list of (first step, Cells): {error}.") from error
    steps = [phase.step for phase in phases]
    are_whole = all(isinstance(step, int | np.integer) and not isinstance(step, bool) for step in steps)
    if not are_whole or not steps or steps[0] != 0 or sorted(set(steps)) != steps:
        raise ValueError(f"The phases of a scenario must begin at rising whole steps, the first at 0; got {steps}.")
    for phase in phases:
        _check_course(phase)
        _check(phase.step, phase.cells, own, is_live=is_live)
    _check_draws(phases)
    return phases


def _check_course(phase: Phase) -> None:
    is_own = phase.draw is None and phase.earlier == 0
    is_drawn = is_whole(phase.draw) and is_whole(phase.earlier) and phase.earlier <= phase.step
    if not is_own and not is_drawn:
        raise ValueError(
            f"The phase from step {phase.step} must begin up to that many steps earlier by a draw's number, got draw "
            f"{phase.draw!r:.40}, earlier {phase.earlier!r:.40}."
        )
    shares = phase.topics.values() if isinstance(phase.topics, Mapping) else [-1]
    if not all(isinstance(share, int | float) and share >= 0 for share in shares) or sum(shares) > 1 + 1e-9:
        raise ValueError(
            f"The phase from step {phase.step} must have shares of contexts, 0 or more and 1 at most in all, got "
            f"topics {phase.topics!r:.80}."
        )


def _check_draws(phases: Sequence[Phase]) -> None:
    """Check that phases keep their order whatever is drawn."""
    earlier = {phase.draw: phase.earlier for phase in phases}
    for before, after in pairwise(phases):
        if before.draw != after.draw and before.step > after.step - after.earlier:
            raise ValueError(
                f"The phase from step {after.step}, up to {after.earlier} earlier, could begin before the one from "
                f"step {before.step}: phases keep their order, whatever is drawn."
            )
    if any(phase.earlier != earlier[phase.draw] for phase in phases):
        raise ValueError("Phases of one draw must have the same earlier: they begin earlier together.")


def _pair(given: tuple[int, Cells]) -> tuple[int, Cells]:
    step, cells = given
    return step, cells


def _same(array: NDArray[Any], other: NDArray[Any]) -> bool:
    return array is other or np.array_equal(array, other, equal_nan=array.dtype.kind == "f")


def _check(step: int, cells: Cells, own: Cells, *, is_live: bool) -> None:
    if cells is own:
        return
    if not isinstance(cells, Cells):
        raise ValueError(f"The phase from step {step} must be Cells, got {type(cells).__name__}.")
    told = () if cells.told is None else ("told",)
    for name in (*_ARRAYS, *told, "available"):
        expected = getattr(own, "accuracy" if name == "told" else name).shape
        if np.shape(getattr(cells, name)) != expected:
            actual = np.shape(getattr(cells, name))
            raise ValueError(f"The phase from step {step} must have {name} of shape {expected}, got {actual}.")
    for name in ("accuracy", *told, "cost_usd", "latency_s"):
        values, highest = getattr(cells, name), _HIGHEST[name]
        if np.fmin.reduce(values, axis=None) < 0 or np.fmax.reduce(values, axis=None) > highest:
            raise ValueError(f"The phase from step {step} must have {name} from 0 to {highest:g}.")
    if cells.measures.keys() != own.measures.keys():
        raise ValueError(f"The phase from step {step} must have the measures {list(own.measures)}.")
    is_left = cells.available.any(axis=1)
    if not is_left.all():
        query = int(np.argmin(is_left))
        raise ValueError(f"The phase from step {step} leaves query {query} without an LLM that can be asked.")
    changed = [*told, *(name for name in _ARRAYS if not _same(getattr(cells, name), getattr(own, name)))]
    if is_live and changed:
        raise ValueError(
            f"The phase from step {step} changes {', '.join(changed)}, but live LLMs answer as they do: then a "
            "scenario can change who can be asked, and which queries come."
        )
    if not is_live and np.isnan((cells.accuracy + cells.as_told.accuracy).sum(axis=2))[cells.available].any():
        raise ValueError(f"The phase from step {step} lets an LLM be asked of which no outcome is known.")
