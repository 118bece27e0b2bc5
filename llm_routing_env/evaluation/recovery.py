"""What a scenario's events do to agents: regret before and after, and how soon they are back to what they were.

An event is where the phase of a session changes; changes less than `WINDOW` queries apart, as the stages of a gradual
one, are one event. What an agent loses over `WINDOW` queries is measured as a share of what choosing at random would
lose over them: 0 at the best LLM, 1 at random. It is as usual where that share is at most `TOLERANCE` above what it was
over the `WINDOW` queries before the session's first event. A session is hurt by an event if it is not as usual from the
event's last change on, and loses more there than the same session without the scenario, again by more than `TOLERANCE`:
who explores is often not as usual, with or without an event. It is back after k queries if k is the first number after
which `WINDOW` queries begin, and end before the next event, that are as usual.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.drawn import Drawn
from llm_routing_env.evaluation.intervals import NOTHING, ROUNDING, Interval, published
from llm_routing_env.evaluation.lost import Lost
from llm_routing_env.evaluation.sessions import Floats, SessionLog
from llm_routing_env.evaluation.statistics import LEARNING, SESSIONS, Estimate, Resamples, medians, pooled

Mask = NDArray[np.bool_]
WINDOW = 20
TOLERANCE = 0.1


@dataclass(frozen=True)
class Event:
    """A change in the course of sessions.

    Attributes:
        first: The step at which it begins.
        last: The step of its last change: the same, unless it is gradual.
        end: The step of the next event, or the session's length.
    """

    first: int
    last: int
    end: int

    @property
    def most(self) -> int:
        """The latest start of a window before the next event, in queries after the last change; below 0: none fits."""
        return self.end - self.last - WINDOW


@dataclass(frozen=True)
class Effect:
    """What one event did to an agent.

    Attributes:
        hurt: Share of sessions that it hurt.
        back: Share of sessions that it hurt and that came back.
        queries: Median number of queries until those that it hurt were back; the mean is None where most never were.
    """

    hurt: Interval
    back: Interval
    queries: Interval


@dataclass(frozen=True)
class Recovery:
    """What an agent did about the events. Contexts count equally, in medians sessions.

    Attributes:
        before: Regret per query before the first event.
        after: Regret per query from then on.
        to_failed: Share of queries sent to an LLM that was down, of those while one was; nothing where none was.
        effects: Of each event; None where the next one, or the end, comes too soon to say.
    """

    before: Interval
    after: Interval
    to_failed: Interval
    effects: Sequence[Effect | None]

    def document(self) -> dict[str, Any]:
        """Return it JSON-plain."""
        return {
            "regret_before": published(self.before),
            "regret_after": published(self.after),
            "to_failed": published(self.to_failed),
            "effects": [effect and asdict(effect) for effect in self.effects],
        }


def events_of(phases: NDArray[np.int64]) -> list[Event]:
    """Return the events of a session, given the phase of each step."""
    changes = (1 + np.flatnonzero(np.diff(phases))).tolist()
    spans: list[list[int]] = []
    for step in changes:
        if spans and step - spans[-1][1] < WINDOW:
            spans[-1][1] = step
        else:
            spans.append([step, step])
    ends = [*(first for first, _ in spans), len(phases)][1:]
    return [Event(first, last, end) for (first, last), end in zip(spans, ends, strict=True)]


class Recoveries:
    """The events of a comparison's sessions, and what agents did about them."""

    def __init__(
        self,
        problem: RoutingProblem,
        drawn: Mapping[str, Drawn],
        seed: int,
        quiet: Mapping[str, Drawn] | None = None,
    ) -> None:
        """Find the events.

        Args:
            problem: What is routed.
            drawn: The sessions, by context.
            seed: Of the intervals.
            quiet: The same sessions without the scenario, where they were run.
        """
        self._contexts = [_Context(problem, sessions, seed, name) for name, sessions in drawn.items()]
        self._contexts = [context for context in self._contexts if context.n_events]
        self._quiet = {name: (problem.as_recorded, sessions.rows) for name, sessions in (quiet or {}).items()}

    @property
    def events(self) -> list[list[Event]]:
        """Each event as it is in every session that comes to it, without repetitions; empty where nothing changes."""
        found: list[dict[Event, None]] = []
        for context in self._contexts:
            for of_session in context.events:
                for number, event in enumerate(of_session):
                    found += [{}] if number == len(found) else []
                    found[number][event] = None
        return [list(events) for events in found]

    def of(
        self, logs: Mapping[str, SessionLog], quiet: Mapping[str, SessionLog] | None = None, *, learns: bool
    ) -> Recovery:
        """Return what an agent did.

        Args:
            logs: Its sessions, by context.
            quiet: The same without the scenario; None: whatever makes a session worse counts as the event's doing.
            learns: Whether it learns in them.
        """
        pairs = [(context, logs[context.name]) for context in self._contexts]
        factor = LEARNING if learns else 1.0

        def mean(estimates: Sequence[Estimate]) -> Interval:
            return pooled(estimates).widened(factor).interval() if estimates else NOTHING

        without = {name: Lost(*self._quiet[name], log) for name, log in (quiet or {}).items()}
        steps = [context.steps_until_back(log, without.get(context.name)) for context, log in pairs]
        by_event = [
            [(c.resamples, of[number]) for (c, _), of in zip(pairs, steps, strict=True) if number in of]
            for number in range(len(self.events))
        ]
        return Recovery(
            before=mean([c.mean(log.measures["regret"], c.is_before) for c, log in pairs]),
            after=mean([c.mean(log.measures["regret"], ~c.is_before) for c, log in pairs]),
            to_failed=mean([c.mean(c.asks_down(log), c.is_outage) for c, log in pairs if c.is_outage.any()]),
            effects=[_effect(of_event) if of_event else None for of_event in by_event],
        )


def _effect(found: Sequence[tuple[Resamples, Floats]]) -> Effect:
    """Return what an event did, given after how many queries each session of each context was back."""

    def share(which: Callable[[Floats], Mask]) -> Interval:
        shares = [resamples.mean_of_units(which(k).astype(np.float64), SESSIONS) for resamples, k in found]
        return pooled(shares).interval()

    hurt = [(k[k > 0], resamples) for resamples, k in found if (k > 0).any()]
    return Effect(
        hurt=share(lambda k: k > 0),
        back=share(lambda k: (k > 0) & np.isfinite(k)),
        queries=medians(*zip(*hurt, strict=True)) if hurt else NOTHING,
    )


class _Context:
    """The sessions of one context. Masks have the shape (sessions, steps)."""

    def __init__(self, problem: RoutingProblem, drawn: Drawn, seed: int, name: str) -> None:
        self.name, self._problem, self._rows = name, problem, drawn.rows
        self.events = [events_of(phases) for phases in drawn.rows // problem.table.n_queries]
        self.n_events = min(map(len, self.events))
        met, places = np.unique(drawn.queries, return_inverse=True)
        self._places = places.reshape(drawn.queries.shape)
        self.resamples = Resamples(len(met), seed, name)

    @cached_property
    def is_before(self) -> Mask:
        firsts = np.array([events[0].first for events in self.events])
        is_before: Mask = np.arange(self._rows.shape[1]) < firsts[:, None]
        return is_before

    @cached_property
    def _is_down(self) -> Mask:
        """Return of which LLMs every call fails in a step's phase, though not in every phase."""
        failed = self._problem.cells.failed.all(axis=2)
        by_phase: Mask = np.all(failed.reshape(-1, self._problem.table.n_queries, failed.shape[1]), axis=1)
        down = by_phase & ~np.all(by_phase, axis=0)
        found: Mask = down[self._rows // self._problem.table.n_queries]
        return found

    @cached_property
    def is_outage(self) -> Mask:
        return np.asarray(self._is_down.any(axis=2))

    def asks_down(self, log: SessionLog) -> Floats:
        return np.take_along_axis(self._is_down, log.actions[:, :, None], axis=2)[:, :, 0].astype(np.float64)

    def mean(self, values: Floats, where: Mask) -> Estimate:
        return self.resamples.mean_where(values, self._places, where)

    def steps_until_back(self, log: SessionLog, without: Lost | None = None) -> dict[int, Floats]:
        """Return by event, if a window fits after it, after how many queries each session was back; infinity: never.

        Nothing where some regret is not known.

        Args:
            log: The sessions.
            without: What the same lose without the scenario; None: it was not run.
        """
        lost = Lost(self._problem, self._rows, log)
        if not lost.is_known or (without and not without.is_known):
            return {}
        found: dict[int, Floats] = {}
        for number in range(self.n_events):
            events = [of_session[number] for of_session in self.events]
            if min(event.most for event in events) >= 0:
                found[number] = np.array([self._steps(lost, without, row, event) for row, event in enumerate(events)])
        return found

    def _steps(self, lost: Lost, without: Lost | None, row: int, event: Event) -> float:
        first = self.events[row][0].first
        (usual,) = lost.share(row, np.array([max(first - WINDOW, 0)]), np.array([first]))
        starts = event.last + np.arange(event.most + 1)
        shares = lost.share(row, starts, starts + WINDOW)
        if without and shares[0] <= without.share(row, starts, starts + WINDOW)[0] + TOLERANCE + ROUNDING:
            return 0.0
        is_back = shares <= usual + TOLERANCE + ROUNDING
        return float(is_back.argmax()) if is_back.any() else np.inf
