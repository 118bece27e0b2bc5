"""The sessions that everybody in a comparison faces: drawn once, read by references, logs and random baselines."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Sessions of one context and one length, side by side; see `Session`. Arrays have the shape (sessions, steps).

    Attributes:
        queries: The queries.
        rows: A query in its phase: what the arrays of `problem.cells` and `problem.truth` begin with.
        repeats: Which recorded repeat answers.
    """

    queries: Ints
    rows: Ints
    repeats: Ints


def session_seeds(seed: int, context: str, n_sessions: int) -> list[int]:
    """Return the environment's seed of each session of a context."""
    # Hashed, so that neighbouring seeds share no session and a context's sessions do not depend on the others.
    source = np.random.SeedSequence([seed, zlib.crc32(context.encode())])
    return [int(value) for value in source.generate_state(n_sessions)]


def contexts_of(problem: RoutingProblem) -> list[str]:
    """Return the contexts that are judged."""
    return [problem.context] if problem.context is not None else list(problem.contexts)


def draw_sessions(problem: RoutingProblem, seeds: Sequence[int], *, context: str, length: int) -> Drawn:
    """Return the sessions that agents with these seeds face.

    Args:
        problem: The problem.
        seeds: One per session.
        context: Context of every session.
        length: Most steps of a session.
    """
    sessions = [problem.draw_session(seeding.np_random(seed)[0], context) for seed in seeds]
    queries, repeats, phases = (
        np.stack([getattr(session, name)[:length] for session in sessions]) for name in ("queries", "repeats", "phases")
    )
    return Drawn(queries, phases * problem.table.n_queries + queries, repeats)
