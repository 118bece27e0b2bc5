"""Wrappers that keep back what an agent is told: rewards that come late, or never.

The environment itself is as it was: the same session, the same outcomes in `info`. A step's reward is 0, and what
arrives at a step is in `info["feedback"]`: of each arrival the step it is of, its action and its reward. One wrapper in
another keeps back what arrives from within: rewards that come late and may be lost.
"""

from collections.abc import Sequence
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from llm_routing_env.envs.delay import Delay, delay_generator


class _Withheld(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Rewards that the agent is not told at once."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        gym.Wrapper.__init__(self, env)
        self._rng = np.random.default_rng()
        self._depth = 1 + getattr(_withheld_within(env), "_depth", -1)
        self._waiting: dict[int, list[dict[str, Any]]] = {}
        self._step = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin a session; what has not arrived of the last one never will."""
        if seed is not None:
            self._rng = delay_generator(seed, self._depth)
        self._waiting, self._step = {}, 0
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, info | {"feedback": []}

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Route a query; the reward is 0, and `info["feedback"]` is what arrives now."""
        found: Any = self.env.step(action)
        observation, reward, terminated, truncated, info = found
        if np.ndim(reward):
            raise ValueError(
                f"{type(self).__name__} keeps back rewards of one number, got one of {np.size(reward)}: weigh it "
                "first, by mo_gymnasium.wrappers.LinearReward(env, weights) inside, or take PickLLM-v0 with "
                "reward='additive'."
            )
        own = {"step": self._step, "action": int(action), "reward": float(reward)}
        for told in info["feedback"] if self._depth else [own]:
            if (delay := self._delay()) is not None:
                self._waiting.setdefault(self._step + delay, []).append(told)
        arrived = self._waiting.pop(self._step, [])
        self._step += 1
        return observation, 0.0, terminated, truncated, info | {"feedback": arrived}

    def _delay(self) -> int | None:
        """Return after how many steps the reward of this one arrives; None: never."""
        raise NotImplementedError


class DelayedFeedback(_Withheld):
    """Rewards that arrive some steps later; those that would arrive after the session's end never do."""

    def __init__(self, env: gym.Env[Any, Any], delay: int | Sequence[Any]) -> None:
        """Wrap an environment.

        Args:
            env: The environment.
            delay: Steps: a whole number, 0 or more; or what they are drawn from, `("geometric", p)`, the failures
                before a success of probability p, or `("uniform", low, high)`, both ends included.

        Raises:
            ValueError: The delay is none.
        """
        RecordConstructorArgs.__init__(self, delay=delay)
        super().__init__(env)
        self._drawn_from = Delay.read(delay)

    def _delay(self) -> int:
        return self._drawn_from.draw(self._rng)


class DroppedFeedback(_Withheld):
    """Rewards that are lost at a rate; the others arrive at once."""

    def __init__(self, env: gym.Env[Any, Any], rate: float) -> None:
        """Wrap an environment.

        Args:
            env: The environment.
            rate: The probability that a reward never arrives, from 0 to 1.

        Raises:
            ValueError: The rate is none.
        """
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise ValueError(f"rate must be a probability from 0 to 1, got {rate!r}.")
        RecordConstructorArgs.__init__(self, rate=rate)
        super().__init__(env)
        self._rate = float(rate)

    def _delay(self) -> int | None:
        return None if self._rng.random() < self._rate else 0


def _withheld_within(env: gym.Env[Any, Any]) -> _Withheld | None:
    """Return the outermost wrapper of this module about an environment."""
    while isinstance(env, gym.Wrapper) and not isinstance(env, _Withheld):
        env = env.env
    return env if isinstance(env, _Withheld) else None


def is_withheld(env: gym.Env[Any, Any]) -> bool:
    """Return whether rewards of an environment are kept back by a wrapper of this module."""
    return _withheld_within(env) is not None
