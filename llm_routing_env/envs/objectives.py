"""What the environments with a vector reward share: the reward of every cell, and the preference of a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llm_routing_env.agents import RoutingTask
from llm_routing_env.agents.parts.task import WITH_PREFERENCE
from llm_routing_env.envs.options import sort_options
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.rewards.objectives import OBJECTIVES, cell_objectives, objective_bounds

Floats = NDArray[np.float64]
DIRICHLET = "dirichlet"


class Objectives:
    """The vector reward of a problem, and what is seen of it where a preference is.

    Attributes:
        rewards: Of every cell as it is told, by cell number, shape (cells, 3).
        reward_space: Where they lie.
        observation_space: The problem's, with the preference at the end.
        task: The problem's, for an agent that sees the preference too.
    """

    def __init__(self, problem: RoutingProblem, preference: str | Sequence[float] | None) -> None:
        """Compute the rewards.

        Raises:
            ValueError: For a preference that is none, one beside a text, or a table that lacks costs or latencies.
        """
        self._preference = _read(preference)
        told = cell_objectives(problem.cells.as_told, problem.reward)
        self.rewards: Floats = told.swapaxes(1, 2).reshape(-1, len(OBJECTIVES))
        self.reward_space = spaces.Box(*objective_bounds(problem.reward), dtype=np.float64)
        self.observation_space = problem.observation_space
        self.task = problem.task
        if preference is not None:
            self.observation_space = _with_preference(problem)
            self.task = _seeing_preference(problem.task)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # as `Facts`

    def preference(self, rng: np.random.Generator) -> Floats | None:
        """Return the preference of a session that begins, shape (3,); None where there is none.

        Args:
            rng: The session's own.
        """
        if isinstance(self._preference, str):
            # Of a generator of its own, so that all sessions are the same as without a preference.
            return rng.spawn(1)[0].dirichlet(np.ones(len(OBJECTIVES)))
        return None if self._preference is None else self._preference.copy()


def additive_only(options: Mapping[str, Any], own: Iterable[str]) -> dict[str, Any]:
    """Return the arguments of a problem whose reward is the weighted sum of the objectives.

    Args:
        options: The arguments.
        own: Names of further ones that the environment takes, for the message.

    Raises:
        ValueError: For an argument under which it is another or outcomes are not recorded ones, or an unknown one.
    """
    sort_options(options, (*own, "preference"))
    reward, backend = options.get("reward", "additive"), options.get("backend", "table")
    if reward != "additive":
        raise ValueError(f"The vector reward is that of the additive form, got reward={reward!r}: leave it out.")
    if options.get("extra_terms"):
        raise ValueError(
            f"The vector reward has {len(OBJECTIVES)} numbers, {', '.join(OBJECTIVES)}, got "
            f"extra_terms={options['extra_terms']!r}: leave them out."
        )
    if backend != "table":
        raise ValueError(
            f'A vector reward is of recorded outcomes only, got backend={backend!r}: gym.make("PickLLMLive-v0", '
            'reward="additive") gives its terms in info["reward_terms"].'
        )
    return {**options, "reward": "additive"}


def _read(preference: str | Sequence[float] | None) -> str | Floats | None:
    if preference is None or (isinstance(preference, str) and preference == DIRICHLET):
        return preference
    try:
        numbers = np.array(preference, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if numbers.shape != (len(OBJECTIVES),) or not (numbers >= 0).all() or abs(numbers.sum() - 1) > 1e-6:
        raise ValueError(
            f"preference must be {DIRICHLET!r}, or three numbers (accuracy, cost, latency), 0 or more, that sum to 1; "
            f"got {preference!r}."
        )
    return numbers


def _with_preference(problem: RoutingProblem) -> spaces.Box:
    seen = problem.observation_space
    if not isinstance(seen, spaces.Box):
        raise ValueError(
            f"A preference cannot be joined to observation={problem.observation!r}, a text: ask for vectors, such as "
            "observation='embedding', or leave the preference out."
        )
    n_more = len(OBJECTIVES)
    low, high = np.append(seen.low, np.zeros(n_more)), np.append(seen.high, np.ones(n_more))
    return spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)


def _seeing_preference(task: RoutingTask) -> RoutingTask:
    size = task.observation_size + len(OBJECTIVES)
    return replace(task, observation=f"{task.observation}{WITH_PREFERENCE}", observation_size=size)
