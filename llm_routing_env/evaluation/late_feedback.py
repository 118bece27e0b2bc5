"""Rewards that reach an agent some steps after its choice, while it goes on choosing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.lifting import LiftedAgent
from llm_routing_env.envs.delay import Delay, delay_generator

Floats = NDArray[np.float64]
_Told = tuple[Any, NDArray[np.int64], Floats, Mapping[str, Any], Floats | None]


def read_delay(given: Any) -> Delay | None:
    """Return a delay, see `Delay.read`; None for one of 0 steps: then rewards come at once."""
    delay = Delay.read(given)
    return None if delay.steps == 0 else delay


def needs_lifted(delay: Delay | None) -> bool:
    """Return whether sessions learn at different times, and so need an agent each."""
    return delay is not None and delay.steps is None


class LateFeedback:
    """Keeps what an agent is to learn from until it arrives; what has not arrived when the sessions end never does.

    The delays of a session are those of `DelayedFeedback` with its seed, so agents face equal ones.
    """

    def __init__(self, agent: Agent, delay: Delay, seeds: Sequence[int]) -> None:
        """Start with nothing under way.

        Args:
            agent: Lifted where `needs_lifted` says so.
            delay: By how many steps rewards come late.
            seeds: The environment's seed of each session.
        """
        self._agent, self._delay = agent, delay
        self._rngs = [delay_generator(seed) for seed in seeds]
        self._step = 0
        # By the step of arrival: what of all sessions' step arrives, and in which session; None: in all.
        self._due: dict[int, list[tuple[int | None, _Told]]] = {}

    def add(
        self, observation: Any, action: NDArray[np.int64], reward: Floats, outcome: Mapping[str, Any], chance: Floats
    ) -> None:
        """Take what came of the sessions' step, and let the agent learn from what arrives at it, the oldest first.

        Args:
            observation: What the agent saw.
            action: What it chose.
            reward: What that was worth.
            outcome: See `Agent.update`.
            chance: With which probability each action was chosen; NaN where the agent does not tell.
        """
        probability = chance if (chance > 0).all() else None  # NaN, or lost in rounding: it is not told
        told = observation, action, reward, outcome, probability
        if self._delay.steps is not None:
            self._due[self._step + self._delay.steps] = [(None, told)]
        else:
            for row, rng in enumerate(self._rngs):
                self._due.setdefault(self._step + self._delay.draw(rng), []).append((row, told))
        for arrived_in, arrived in self._due.pop(self._step, []):
            if arrived_in is None:
                self._learn(*arrived)
            else:
                self._learn_one(arrived_in, *arrived)
        self._step += 1

    def _learn(
        self, observation: Any, action: Any, reward: Floats, outcome: Mapping[str, Any], probability: Any
    ) -> None:
        told = {} if probability is None else {"probability": probability}
        self._agent.update(observation, action, reward, outcome=outcome, **told)

    def _learn_one(
        self, row: int, observation: Any, action: Any, reward: Floats, outcome: Mapping[str, Any], probability: Any
    ) -> None:
        assert isinstance(self._agent, LiftedAgent)
        of_row = {name: values[row].item() for name, values in outcome.items()}
        chance = None if probability is None else probability[row].item()
        self._agent.update_one(row, observation[row], action[row].item(), reward[row].item(), of_row, chance)
