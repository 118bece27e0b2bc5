"""What an agent refuses: observations, masks, actions and rewards that do not fit, before anything is learned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import PROMPT, RoutingTask
from llm_routing_env.agents.parts.whole import is_whole


def require_vector(name: str, observation: object) -> None:
    """Raise ValueError for a kind of observation that is no vector of numbers, for an agent that needs one."""
    if observation in ("none", PROMPT):
        raise ValueError(f'{name}: observation must be a vector of numbers, such as "context", got {observation!r}.')


class InputChecks:
    """Checks what an agent is handed, and gives it a leading axis of sessions.

    Every query passes here twice, and with few sessions numpy's calls are all that it costs. So texts of errors are
    made only where needed, and numpy counts what is true: on small arrays that is ten times faster than its `all`.
    """

    observation: str
    task: RoutingTask
    n_sessions: int | None

    def __init__(self, task: RoutingTask, n_sessions: int | None) -> None:
        """Remember what is expected.

        Args:
            task: Gives the number of arms and the size of an observation.
            n_sessions: Number of sessions; None: one, without a leading axis.
        """
        self._require(n_sessions is None or n_sessions >= 1, "n_sessions", "None or at least 1", n_sessions)
        self.task = task
        self.n_sessions = n_sessions
        self._rows = np.arange(n_sessions or 1)
        self._unseen = np.empty((len(self._rows), 0))

    def _require(self, condition: bool | np.bool_, argument: str, expected: str, actual: object) -> None:
        """Raise a ValueError that names agent, argument, expectation and value unless the condition holds."""
        if not condition:
            self._refuse(argument, expected, actual)

    def _require_count(self, argument: str, value: object, *, is_optional: bool = False) -> None:
        """Refuse what is no whole number of 1 or more, and None unless it may be left out."""
        is_count = is_whole(value, 1) or (is_optional and value is None)
        self._require(is_count, argument, f"{'None or ' if is_optional else ''}a whole number, at least 1", value)

    def _require_llms(self) -> None:
        """Refuse a task whose actions are not the LLMs, for a rule that goes by what is known of each LLM."""
        self._require(
            self.task.actions_are_llms,
            "task",
            f"one whose actions are its {len(self.task.llm_names)} LLMs",
            f"n_actions={self.task.n_actions}",
        )

    def _refuse(self, argument: str, expected: str, actual: object) -> NoReturn:
        raise ValueError(f"{type(self).__name__}: {argument} must be {expected}, got {actual!r}.")

    def _checked_observation(self, observation: ArrayLike | None) -> Any:
        if self.observation == "none":
            return self._unseen
        if self.observation == PROMPT:
            return self._checked_texts(observation)
        rows = np.asarray(observation, dtype=np.float64)
        size = self.task.observation_size
        shape = (size,) if self.n_sessions is None else (self.n_sessions, size)
        if rows.shape != shape:
            self._refuse("observation", f"of shape {shape}", rows.shape)
        if np.count_nonzero(np.isfinite(rows)) != rows.size:
            self._refuse("observation", "finite", observation)
        return rows[None] if self.n_sessions is None else rows

    def _checked_texts(self, observation: Any) -> Any:
        texts = np.asarray(observation, dtype=object)
        shape = () if self.n_sessions is None else (self.n_sessions,)
        if texts.shape != shape or not all(isinstance(text, str) for text in texts.flat):
            self._refuse("observation", f"{len(self._rows)} text(s), the prompt of each session", observation)
        return texts.reshape(-1)

    def _checked_mask(self, action_mask: ArrayLike | None) -> BoolArray | None:
        if action_mask is None:
            return None
        mask = np.asarray(action_mask).astype(np.bool_)
        shape = (len(self._rows), self.task.n_actions)
        if mask.shape not in (shape, shape[1:]):
            self._refuse("action_mask", f"of shape {shape[1:]} or {shape}", mask.shape)
        if not mask.any(axis=-1).all():
            self._refuse("action_mask", "1 for at least one arm per session", action_mask)
        return np.broadcast_to(mask, shape)

    def _checked_action(self, action: ArrayLike) -> IntArray:
        if self.n_sessions is None and type(action) is int and 0 <= action < self.task.n_actions:
            return np.array([action])
        given = np.asarray(action).reshape(-1)
        if given.dtype.kind in "iu" and len(given) == len(self._rows):
            actions: IntArray = given if given.dtype == np.int64 else given.astype(np.int64)
            # As unsigned numbers negative ones are huge: one comparison finds what is out of range at either end.
            if np.count_nonzero(actions.view(np.uint64) < self.task.n_actions) == len(actions):
                actions.flags.writeable = False  # see `ArmArray`, which looks the same actions up several times
                return actions
        self._refuse("action", f"{len(self._rows)} integer(s) from 0 to {self.task.n_actions - 1}", action)

    def _checked_reward(self, reward: ArrayLike) -> FloatArray:
        if self.n_sessions is None and type(reward) is float and math.isfinite(reward):
            return np.array([reward])
        rewards = np.asarray(reward, dtype=np.float64).reshape(-1)
        if not np.count_nonzero(np.isfinite(rewards)) == len(rewards) == len(self._rows):
            self._refuse("reward", f"{len(self._rows)} finite number(s)", reward)
        return rewards

    def _checked_probability(self, probability: ArrayLike) -> FloatArray:
        probabilities = np.asarray(probability, dtype=np.float64).reshape(-1)
        if len(probabilities) != len(self._rows) or not ((probabilities > 0) & (probabilities <= 1)).all():
            self._refuse("probability", f"{len(self._rows)} number(s) above 0 and at most 1", probability)
        return probabilities

    def _checked_outcome(self, outcome: Mapping[str, Any]) -> Outcomes:
        arrays = {name: np.atleast_1d(values) for name, values in outcome.items()}
        for name, array in arrays.items():
            if len(array) != len(self._rows):
                self._refuse(f"outcome[{name!r}]", f"{len(self._rows)} number(s)", outcome[name])
        return arrays
