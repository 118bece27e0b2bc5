"""The course of a session: when its phases begin, and which context its queries come from in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.tables.queries import NEXT

if TYPE_CHECKING:  # sessions without a scenario start sooner without
    from llm_routing_env.scenarios.phases import Phase

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Course:
    """What a scenario makes of a session, beside what calls give.

    Attributes:
        first_steps, earliest: The step at which each phase begins, at the latest and at the earliest, shape (phases,).
        topics: Of each phase, which share of its queries comes from other contexts, by name or `NEXT`.
    """

    def __init__(self, phases: Sequence[Phase], contexts: Sequence[str]) -> None:
        """Take the phases of a scenario; without any there is one.

        Args:
            phases: The phases.
            contexts: Those that have queries.

        Raises:
            ValueError: There is no context to go on to.
        """
        self.first_steps = np.array([phase.step for phase in phases] or [0])
        self.topics: Sequence[Mapping[str, float]] = [phase.topics for phase in phases] or [{}]
        self._contexts = contexts
        earlier = {phase.draw: phase.earlier for phase in phases if phase.draw is not None}
        numbers = sorted(earlier)
        # Of each draw, by how many steps at most its phases begin earlier; and which draw each phase goes by.
        self._earlier = np.array([earlier[number] for number in numbers], dtype=np.int64)
        self._draws = np.array([-1 if phase.draw is None else numbers.index(phase.draw) for phase in phases] or [-1])
        self._names = list(dict.fromkeys(name for topics in self.topics for name in topics))
        self.earliest = self.first_steps - np.append(self._earlier, 0)[self._draws]  # the last one is 0
        shares = np.array([[topics.get(name, 0.0) for name in self._names] for topics in self.topics])
        self._bounds = shares.cumsum(axis=1)  # a number in [0, 1) below one of them: that context; below none: its own
        if NEXT in self._names and len(contexts) == 1:
            raise ValueError(f"The scenario goes on to the next context, but {contexts[0]!r} is the only one.")

    @property
    def changes_topic(self) -> bool:
        """Whether queries come from other contexts than the session's own."""
        return bool(self._names)

    def draw_phases(self, rng: np.random.Generator, n_steps: int) -> Ints:
        """Return the phase of each step, shape (steps,)."""
        firsts = self.first_steps
        if len(self._earlier):
            drawn = rng.integers(self._earlier + 1)
            firsts = firsts - np.append(drawn, 0)[self._draws]
        return np.searchsorted(firsts, np.arange(n_steps), side="right") - 1

    def draw_queries(
        self, rng: np.random.Generator, context: str, own: Ints, phases: Ints, queries: Mapping[str, Ints]
    ) -> Ints:
        """Return the queries of a session, shape (steps,).

        Each context's come in an order of its own; one that has no query left begins again in that order.

        Args:
            rng: Draws what is drawn.
            context: The session's own.
            own: Its queries, in their order.
            phases: Of each step.
            queries: Of each context, and of "mixed".
        """
        if not self.changes_topic:
            return own
        names = [*(self._resolved(name, context) for name in self._names), context]
        contexts = np.array(names)[(rng.random(len(own))[:, None] >= self._bounds[phases]).sum(axis=1)]
        drawn = own.copy()
        for name in dict.fromkeys(names):
            stream = own if name == context else rng.permutation(queries[name])
            drawn[contexts == name] = np.resize(stream, int((contexts == name).sum()))
        return drawn

    def shares(self, length: int) -> Floats:
        """Return which share of a session of so many steps each phase has on average, shape (phases,)."""
        firsts = _mean_of_lower(self.earliest, self.first_steps, length)
        return np.diff(firsts, append=float(length)) / length

    def weights(self, context: str, length: int, queries: Mapping[str, Ints], n_queries: int) -> Floats:
        """Return how much each query counts in each phase of a session, on average; over those that count at all, 1.

        Args:
            context: The session's own.
            length: Its steps.
            queries: Of each context, and of "mixed": of the split that is asked about, which may be another.
            n_queries: Of the table.

        Returns:
            Shape (phases, queries).
        """
        weights = np.zeros((len(self.first_steps), n_queries))
        parts = [
            (phase, queries[name], share * chance)
            for phase, (share, topics) in enumerate(zip(self.shares(length).tolist(), self.topics, strict=True))
            for name, chance in self._chances(topics, context).items()
            if share * chance > 0 and len(queries[name])
        ]
        n_met = len(np.unique(np.concatenate([met for _, met, _ in parts]))) if parts else 0
        for phase, met, share in parts:
            weights[phase, met] += share * (n_met / len(met))
        return weights

    def _chances(self, topics: Mapping[str, float], context: str) -> dict[str, float]:
        chances = {context: 1.0 - sum(topics.values())}
        for name, share in topics.items():
            resolved = self._resolved(name, context)
            chances[resolved] = chances.get(resolved, 0.0) + share
        return chances

    def _resolved(self, name: str, context: str) -> str:
        """Return the context that a name means in a session of a context."""
        if name != NEXT or name in self._contexts:
            return name
        place = self._contexts.index(context) + 1 if context in self._contexts else 0
        return self._contexts[place % len(self._contexts)]

    @property
    def described(self) -> str:
        """What decides how sessions are drawn, beside their contexts."""
        return repr((self.first_steps.tolist(), self.earliest.tolist(), self._draws.tolist(), self.topics))


def _mean_of_lower(low: Ints, high: Ints, bound: int) -> Floats:
    """Return the mean of min(n, bound) over the whole numbers n from low to high."""
    below = np.clip(bound - low, 0, high - low + 1)  # so many of them are below the bound
    sums = below * low + below * (below - 1) / 2 + (high - low + 1 - below) * float(bound)
    return np.asarray(sums / (high - low + 1))
