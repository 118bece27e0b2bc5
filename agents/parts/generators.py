"""Random generators of agents: one for all, or one per session, so that a session's draws are its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray

_STREAM = 1


class SessionSeeds(int):
    """Seeds of a batch in which no session's draws depend on which others run beside it.

    As a number it is the seed of what all sessions share, such as first weights: whoever expects one seed has one.

    Attributes:
        sessions: One per session.
    """

    sessions: tuple[int, ...]

    def __new__(cls, common: int, sessions: Iterable[int]) -> Self:
        """Keep the seeds."""
        seeds = super().__new__(cls, common)
        seeds.sessions = tuple(sessions)
        return seeds


class SessionGenerators:
    """A generator per session, drawn from as one. What it does not know is drawn from a common generator instead."""

    def __init__(self, seeds: SessionSeeds) -> None:
        """Start the generators."""
        self._common = make_generator(seeds)
        self._generators = [make_generator(seed) for seed in seeds.sessions]

    def random(self, size: int | None = None) -> Any:
        """Return one number of [0, 1) per session, shape (sessions,); a plain one of the first session without size."""
        if size is None:
            return self._generators[0].random()
        return np.array([generator.random() for generator in self._generators])

    def standard_normal(self, size: tuple[int, ...]) -> FloatArray:
        """Return standard normal numbers, shape (sessions, ...)."""
        draws: FloatArray = np.array([generator.standard_normal(size[1:]) for generator in self._generators])
        return draws

    def beta(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Return draws from Beta(a, b), the parameters and the draws of shape (sessions, ...)."""
        rows = zip(self._generators, a, b, strict=True)
        draws: FloatArray = np.array([generator.beta(first, second) for generator, first, second in rows])
        return draws

    @property
    def bit_generator(self) -> Any:
        """Refuse to be saved."""
        raise NotImplementedError("A batch with a seed per session is not saved: construct it with one seed.")

    def __getattr__(self, name: str) -> Any:
        """Return the common generator's method."""
        return getattr(self._common, name)


def make_generators(seed: int | None) -> tuple[Any, np.random.Generator]:
    """Return what sessions draw from, with sessions as the first axis, and what is drawn from for all of them at once.

    With one seed both are the same generator; with a seed per session each session has its own.
    """
    if isinstance(seed, SessionSeeds):
        return SessionGenerators(seed), make_generator(seed)
    generator = make_generator(seed)
    return generator, generator


def seeds_of(seed: int | None, n_sessions: int) -> Sequence[int]:
    """Return a seed per session: its own, or one that is drawn."""
    if isinstance(seed, SessionSeeds):
        return seed.sessions
    drawn: list[int] = np.random.SeedSequence(seed).generate_state(n_sessions).tolist()
    return drawn


def make_generator(seed: int | None) -> np.random.Generator:
    """Return an agent's generator: without a stream of its own, an environment with its seed would draw the same."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
