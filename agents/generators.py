"""Random generators of agents: one for all, or one per session, so that a session's draws are its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from llm_routing_env.agents.state import FloatArray

_STREAM = 1


class SessionSeeds(NamedTuple):
    """Seeds of a batch in which no session's draws depend on which others run beside it.

    Attributes:
        common: Of what all sessions share, such as first weights.
        sessions: One per session.
    """

    common: int
    sessions: tuple[int, ...]


class SessionGenerators:
    """A generator per session, drawn from as one. What it does not know is drawn from a common generator instead."""

    def __init__(self, seeds: SessionSeeds) -> None:
        """Start the generators."""
        self._common = make_generator(seeds.common)
        self._generators = [make_generator(seed) for seed in seeds.sessions]

    def random(self, size: int | None = None) -> Any:
        """Return one number of [0, 1) per session, shape (sessions,); a plain one of the first session without size."""
        if size is None:
            return self._generators[0].random()
        return np.array([generator.random() for generator in self._generators])

    def standard_normal(self, size: tuple[int, ...]) -> FloatArray:
        """Return standard normal numbers, shape (sessions, ...)."""
        return np.array([generator.standard_normal(size[1:]) for generator in self._generators])

    def beta(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Return draws from Beta(a, b), the parameters and the draws of shape (sessions, ...)."""
        return np.array([generator.beta(*row) for generator, *row in zip(self._generators, a, b, strict=True)])

    @property
    def bit_generator(self) -> Any:
        """Refuse to be saved."""
        raise NotImplementedError("A batch with a seed per session is not saved: construct it with one seed.")

    def __getattr__(self, name: str) -> Any:
        """Return the common generator's method."""
        return getattr(self._common, name)


Seed = int | SessionSeeds | None


def make_generators(seed: Seed) -> tuple[Any, np.random.Generator]:
    """Return what sessions draw from, with sessions as the first axis, and what is drawn from for all of them at once.

    With one seed both are the same generator; with a seed per session each session has its own.
    """
    if isinstance(seed, SessionSeeds):
        return SessionGenerators(seed), make_generator(seed.common)
    generator = make_generator(seed)
    return generator, generator


def make_generator(seed: int | None) -> np.random.Generator:
    """Return an agent's generator: without a stream of its own, an environment with its seed would draw the same."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
