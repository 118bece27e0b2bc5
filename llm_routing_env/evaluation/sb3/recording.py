"""Keeps what a Stable-Baselines3 learner does in a session."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from llm_routing_env.backends.budget import BudgetError
from llm_routing_env.evaluation.failed_calls import LiveCalls
from llm_routing_env.evaluation.sessions import MEASURES, TOKENS, Floats, SessionLog, as_it_is

Observation = NDArray[np.float32]
Distribution = Callable[[Observation], Floats]


class SessionEndedError(Exception):
    """A learner wants to route more queries than its session has."""


class SessionRecorder(gym.Wrapper[Observation, np.int64, Observation, np.int64]):
    """Keeps every step of a session.

    It wraps the environment itself, since Stable-Baselines3's vector environments round rewards to single precision
    and start the next session before the last one can be read.

    Attributes:
        last_observation: What the latest step returned.
    """

    def __init__(self, env: gym.Env[Observation, np.int64], on_step: Callable[[int], None]) -> None:
        """Wrap one session's environment, with numbers in `info`; `on_step` is told of every query routed."""
        super().__init__(env)
        self._on_step = on_step
        self.start(0, None)

    def start(self, length: int, distribution: Distribution | None) -> None:
        """Forget what was kept, before another session.

        Args:
            length: Queries of the session.
            distribution: Gives the learner's probabilities, shape (observations, LLMs), for observations; None: the
                probabilities of actions are not kept.
        """
        self._length, self._distribution = length, distribution
        self._steps: list[tuple[float, ...]] = []
        self._propensities: list[float] = []
        self._calls: LiveCalls | None = None
        problem = self.get_wrapper_attr("problem")
        if problem.is_live:
            self._calls = LiveCalls(1, problem.task.n_actions)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a session; the steps of the last one are kept."""
        self._waiting, info = self.env.reset(seed=seed, options=options)
        return self._waiting, info

    def step(self, action: np.int64) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        """Route a query, and keep what came of it.

        Raises:
            SessionEndedError: After the session's last query.
            BudgetError: If a live session's budget is used up.
        """
        if len(self._steps) == self._length:
            raise SessionEndedError
        if self._distribution is not None:
            self._propensities.append(float(self._distribution(self._waiting[None])[0, action]))
        following, reward, terminated, truncated, info = self.env.step(action)
        if terminated:
            raise BudgetError(info["error"])
        self._steps.append((int(action), *map(float, as_it_is(reward, info))))
        if self._calls is not None:
            self._calls.add([int(action)], [info.get("error")], [info["is_cut"]], [[info[name]] for name in TOKENS])
        self._waiting = self.last_observation = following
        self._on_step(1)
        return following, reward, terminated, truncated, info

    def log(self, final_probabilities: Floats) -> SessionLog:
        """Return what was kept, as a log of one session.

        Args:
            final_probabilities: The learner's probabilities after the last step, shape (1, LLMs).
        """
        actions, rewards, *measures = np.array(self._steps).T[:, None]
        return SessionLog(
            actions=actions.astype(np.int64),
            rewards=rewards,
            measures=dict(zip(MEASURES, measures, strict=True)),
            final_probabilities=final_probabilities,
            commit_steps=np.array([np.nan]),
            commitments=np.array([-1]),
            propensities=np.array([self._propensities]) if self._distribution else None,
            **(self._calls.arrays if self._calls is not None else {}),
        )
