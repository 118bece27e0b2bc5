"""What events make of a session together: its phases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from llm_routing_env.scenarios.event import Event, Topics, bounds
from llm_routing_env.scenarios.phases import Phase, Scenario
from llm_routing_env.scenarios.roles import Worth, find_llm
from llm_routing_env.tables.cells import Cells


@dataclass(frozen=True)
class _Start:
    """Where something changes: at a step, or up to `earlier` steps before it, by a draw."""

    step: int
    event: str
    draw: int | None = None
    earlier: int = 0


def composed(events: Sequence[Event], where: str, llm_names: Sequence[str], worth: Worth) -> Scenario:
    """Return the scenario that events make together, each of what those that begin earlier leave; see `Event.rank`.

    Args:
        events: As they are listed, which is the order of those that begin at one step.
        where: What lists them, for messages.
        llm_names: The LLMs, in action order.
        worth: See `find_llm`.

    Raises:
        ValueError: Steps are drawn from ranges that overlap; or, when it is called, an event cannot be in this table.
    """
    starts = _starts(events, where)
    # Whatever is drawn, events come in the order in which they come at the latest.
    latest = enumerate((event.at_latest() for event in events), start=1)
    ranked = sorted(latest, key=lambda each: (each[1].rank, each[1].starts()[0]))

    def scenario(cells: Cells) -> list[Phase]:
        llms = {n: _llms(event, llm_names, cells, worth, _place(where, n, event)) for n, event in ranked}
        phases = []
        for start in starts:
            left: Cells = cells
            topics: Topics = {}
            for number, event in ranked:
                if event.is_on(start.step):
                    left = _changed(event, left, llms[number], start.step, number, where)
                    topics = event.mixed(topics, start.step)
            phases.append(Phase(start.step, left, topics, start.draw, start.earlier))
        return phases

    return scenario


def _place(where: str, number: int, event: Event) -> str:
    return f"{where}, event {number} ({event.kind})"


def _llms(event: Event, llm_names: Sequence[str], cells: Cells, worth: Worth, place: str) -> int | slice:
    name: str | None = getattr(event, "llm", None)
    try:
        return slice(None) if name is None else find_llm(name, llm_names, cells, worth)
    except ValueError as fault:
        raise ValueError(f"{place}: {fault}") from None


def _changed(event: Event, cells: Cells, llms: int | slice, step: int, number: int, where: str) -> Cells:
    rng = np.random.default_rng([getattr(event, "seed", 0), number - 1])
    try:
        return event.changed(cells, llms, step, rng)
    except ValueError as fault:
        raise ValueError(f"{_place(where, number, event)}: {str(fault).rstrip('.')}.") from None


def _starts(events: Sequence[Event], where: str) -> list[_Start]:
    """Return where phases begin, in their order, the first at step 0."""
    starts = sorted(_all_starts(events), key=lambda start: start.step)
    for before, after in pairwise(starts):
        if before.draw != after.draw and before.step >= after.step - after.earlier:
            raise ValueError(
                f"{where}: the steps of {before.event} and {after.event} are drawn from ranges that overlap, so that "
                "either could come first: draw them from ranges that do not."
            )
    return list({start.step: start for start in (_Start(0, "the session"), *starts)}.values())


def _all_starts(events: Sequence[Event]) -> Iterator[_Start]:
    """Yield the starts of all events but those at step 0, in their order."""
    n_draws = 0
    for number, event in enumerate(events, start=1):
        latest = event.at_latest()
        ends = [] if latest.until is None else [bounds("until", latest.until)[1]]
        for name, steps in (("step", latest.starts()), ("until", ends)):
            given = getattr(event, name)
            low, high = (0, 0) if given is None else bounds(name, given)
            draw = n_draws if low < high else None
            n_draws += low < high
            who = f"event {number} ({event.kind})"
            yield from (_Start(step, who, draw, high - low) for step in steps if step > 0)
