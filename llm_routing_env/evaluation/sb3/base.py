"""What contestants of Stable-Baselines3 share, whatever the protocol."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.envs.pickllm import PickLLMEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.contestants import Work, require_fair
from llm_routing_env.evaluation.sb3.defaults import (
    OBSERVATION,
    TRAINING,
    sb3_arguments,
)
from llm_routing_env.evaluation.sb3.models import (
    sb3_class,
)
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.evaluation.setting import ASKING, ROUTING, Setting

_NOT_GIVEN = ("env", "seed", "_init_setup_model")  # the comparison gives environment and seed


class SB3Contestant:
    """What both protocols share; see `Contestant`."""

    protocol: str
    block_size: int
    feedback = "bandit"
    maximises = "reward"
    is_frozen = False
    learns = True
    environments: tuple[str, ...] = (ROUTING, ASKING)
    learns_late = False  # a rollout is of whole steps, rewards and all
    router: Mapping[str, Any] | None = None

    def __init__(self, agent: str, parameters: Mapping[str, Any], row: str = "") -> None:
        """Look the algorithm up, and its parameters.

        Args:
            agent: A key of `SB3_ALGORITHMS`, or "module:Class".
            parameters: See `sb3_contestants`.
            row: See `sb3_contestants`.

        Raises:
            ImportError: If Stable-Baselines3 is not installed.
            ValueError: For an unknown parameter.
        """
        self.agent, self.name = agent, f"{row or agent} ({self.protocol})"
        self.parameters: Mapping[str, Any] = dict(parameters)
        self._class = sb3_class(agent)
        own = {"observation": OBSERVATION} | (TRAINING if self.protocol == "pretrained" else {})
        taken = inspect.signature(self._class).parameters.values()
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken)
        known = [*own, *(parameter.name for parameter in taken if parameter.name not in _NOT_GIVEN)]
        for name in parameters:
            if name not in known and not takes_any:
                raise unknown_name(f"parameter of {self.name}", name, known)
        self._own = own | {name: value for name, value in parameters.items() if name in own}
        usual = sb3_arguments(agent, self.protocol).items()
        self._arguments = {name: value for name, value in usual if name in known or takes_any}
        self._arguments |= {name: value for name, value in parameters.items() if name not in own}
        self.observation = self._own["observation"]

    def check(self, problem: RoutingProblem) -> None:
        """Construct a model once, for its complaints about the parameters."""
        require_fair(self, problem)
        if problem.is_masked:
            raise ValueError(f"{self.name} asks any LLM at any time, but here some cannot be asked: leave it out.")
        # The reward does not matter here, and of accuracy alone there is one on every table.
        env = PickLLMEnv(problem.table, observation=self.observation, reward="additive", weights=(1.0, 0.0, 0.0))
        try:
            self._new_model(env, seed=0)
        except Exception as error:  # it asserts and raises whatever it stumbles over
            complaint = " ".join(str(error).split())
            raise ValueError(f"{self.name}: Stable-Baselines3 refuses its parameters: {complaint}") from error

    def run(self, setting: Setting, work: Work, on_step: Callable[[int], None]) -> SessionLog | FloatArray:
        """See `Contestant`."""
        raise NotImplementedError

    def n_trainings(self, asked_for: int) -> int:
        """See `Contestant`."""
        return asked_for

    def _new_model(self, env: Any, seed: int) -> Any:
        return self._class(env=env, seed=seed, **self._arguments)

    def _seed(self, setting: Setting, purpose: str) -> int:
        return setting.agent_seed(f"{self.agent} ({self.protocol})", purpose)
