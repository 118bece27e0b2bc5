"""Many sessions of the routing bandit with a vector reward in one numpy step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.envs.objectives import Objectives, additive_only
from llm_routing_env.envs.options import ProblemOptions
from llm_routing_env.envs.vector import Ints, PickLLMVectorEnv
from llm_routing_env.envs.vector_base import VECTOR_OPTIONS, Mask, Observations, Step
from llm_routing_env.tables.table import OutcomeTable


class PickLLMMOVectorEnv(PickLLMVectorEnv, VectorEnv[Observations, Ints, NDArray[Any]]):
    """`num_envs` independent sessions of `PickLLM-MO-v0`; rewards have the shape (sessions, 3).

    Session i of a vector seeded with s equals the scalar environment seeded with s + i, step for step. Made by
    `gym.make_vec("PickLLM-MO-v0", num_envs=...)`; takes the arguments of `PickLLMMOEnv`, and of `PickLLMVectorEnv` all
    but `latency_under_load`. With NEXT_STEP the reward of a session that starts anew is three zeros. As in
    MO-Gymnasium's vectors `reward_space` is that of one session. `preference` has the shape (sessions, 3), or is None.
    """

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = SESSION_LENGTH,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        table: str | Path | OutcomeTable = ProblemOptions.table,
        *,
        preference: str | Sequence[float] | None = None,
        info: str = "numbers",
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """See the class, `PickLLMMOEnv` and `PickLLMVectorEnv` for the arguments.

        Raises:
            ValueError: As those.
        """
        options = additive_only(options, VECTOR_OPTIONS)
        super().__init__(
            num_envs, max_episode_steps, autoreset_mode, table, info=info, render_mode=render_mode, **options
        )
        self._objectives = Objectives(self.problem, preference)
        self.reward_space = self._objectives.reward_space
        self.single_observation_space = self._objectives.observation_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.task = self._objectives.task
        self.preference = None if preference is None else np.zeros((num_envs, 3))

    def step(self, actions: Ints) -> Step:
        """Route the current query of every session; see `PickLLMVectorEnv`."""
        first_cells, restarting = self.waiting_cells, self.ended
        observations, _, terminated, truncated, infos = super().step(actions)
        rewards = self._objectives.rewards[first_cells + np.asarray(actions)]
        rewards[restarting] = 0.0
        return observations, rewards, terminated, truncated, infos

    def _observe(self, queries: Ints) -> Observations:
        observations = super()._observe(queries)
        if self.preference is None:
            return observations
        return np.concatenate([observations, self.preference.astype(np.float32)], axis=1)

    def _draw(self, mask: Mask, contexts: Sequence[str | None]) -> None:
        super()._draw(mask, contexts)
        if self.preference is not None:
            for row in np.flatnonzero(mask):
                self.preference[row] = self._objectives.preference(self._rngs[row])
