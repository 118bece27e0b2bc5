"""Many sessions as the vector environment of Stable-Baselines3, which is not Gymnasium's."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise ImportError(
        f'PickLLMSB3VecEnv needs Stable-Baselines3: pip install "llm-routing-env[sb3]" ({error}).'
    ) from error

from llm_routing_env.envs.problem import session_context
from llm_routing_env.envs.vector_base import RoutingVectorEnv
from llm_routing_env.envs.vector_infos import unmasked

Infos = list[dict[str, Any]]


class PickLLMSB3VecEnv(VecEnv):  # type: ignore[misc]  # untyped, whether installed or not
    """`num_envs` sessions in one numpy step, or one round of requests: what `PPO("MlpPolicy", env)` takes.

    The same sessions, rewards and observations as `make_vec_env("PickLLM-v0", num_envs)`, without a Python environment
    for each. With `info="none"` (default) an info holds what Stable-Baselines3 needs and nothing else.
    `action_masks` serves sb3-contrib's MaskablePPO.

    Attributes:
        env: The vector environment behind it.
    """

    def __init__(self, num_envs: int = 1, env_id: str = "PickLLM-v0", *, info: str = "none", **options: Any) -> None:
        """Make the sessions.

        Args:
            num_envs: How many.
            env_id: "PickLLM-v0", "PickLLM-Multi-v0", or "PickLLMLive-v0", whose sessions ask at the same time.
            info: "none", "numbers" or "full".
            options: As those of that id's vector; `max_episode_steps` too, where it has one.

        Raises:
            ValueError: For an environment with a vector reward.
        """
        made = gym.make_vec(env_id, num_envs, info=info, autoreset_mode=AutoresetMode.SAME_STEP, **options)
        assert isinstance(made, RoutingVectorEnv)
        if hasattr(made, "reward_space"):
            raise ValueError(f"Stable-Baselines3 learns from one number a step, {env_id} gives several.")
        self.env = made
        self._actions = np.zeros(num_envs, dtype=np.int64)
        super().__init__(num_envs, made.single_observation_space, made.single_action_space)

    def reset(self) -> NDArray[np.float32]:
        """Start all sessions, with the seeds and options that were set since the last time."""
        contexts = [session_context(self.env.problem, options) for options in self._options]
        observations, infos = self.env.reset(seed=self._seeds, options={"context": contexts})
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = self._by_session(infos)
        return observations

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Take the next actions."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], Infos]:
        """Route the queries; a session that ends starts anew, and its info has "terminal_observation"."""
        observations, rewards, terminated, truncated, told = self.env.step(self._actions)
        ended = terminated | truncated
        infos = self._by_session(told)
        for row in np.flatnonzero(ended):
            self.reset_infos[row] = infos[row]
            infos[row] = _of_row(told["final_info"], row)
            infos[row]["terminal_observation"] = told["final_obs"][row]
            infos[row]["TimeLimit.truncated"] = bool(truncated[row] and not terminated[row])
        return observations, rewards.astype(np.float32), ended, infos

    def _by_session(self, told: dict[str, Any]) -> Infos:
        infos: Infos = [{} for _ in range(self.num_envs)]
        for name, values in unmasked(told).items():
            if name not in ("final_obs", "final_info"):
                for row in np.flatnonzero(told[f"_{name}"]):
                    infos[row][name] = _of_row(values, row)
        return infos

    def close(self) -> None:
        """Release what live LLMs hold."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute, which all sessions share, once for each."""
        return [getattr(self.env, attr_name)] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: sessions share what they have."""
        raise AttributeError(f"{attr_name} cannot be set: the sessions of {type(self).__name__} share what they have.")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Return what a method gives: "action_masks" has a row for each session, others give the same to all."""
        value = getattr(self.env, method_name)(*args, **kwargs)
        return [value[row] if method_name == "action_masks" else value for row in self._rows(indices)]

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: Any = None) -> list[bool]:
        """Say that no session is wrapped."""
        return [False] * len(self._rows(indices))

    def _rows(self, indices: Any) -> Sequence[int]:
        return list(self._get_indices(indices))


def _of_row(values: Any, row: int) -> Any:
    if isinstance(values, dict):
        return {name: _of_row(inner, row) for name, inner in unmasked(values).items()}
    return values[row]
