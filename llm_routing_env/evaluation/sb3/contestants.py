"""Stable-Baselines3's algorithms as contestants, under the two protocols.

Stable-Baselines3 draws from the global generators of random, numpy and torch, and seeds them for each model.
"""

import inspect
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import TimeLimit

from llm_routing_env.agents import RoutingTask
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.envs.pickllm import PickLLMEnv
from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.evaluation.contestants import Block, Contestant, Training, batches_of, require_fair
from llm_routing_env.evaluation.sb3.defaults import (
    N_TRAINING_ENVS,
    OBSERVATION,
    SB3_ALGORITHMS,
    TRAINING,
    sb3_arguments,
)
from llm_routing_env.evaluation.sb3.models import (
    FrozenPolicy,
    action_distribution,
    is_sb3,
    load_model,
    one_thread,
    sb3_class,
)
from llm_routing_env.evaluation.sb3.recording import SessionEndedError, SessionRecorder
from llm_routing_env.evaluation.sessions import SessionLog, run_sessions
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.text import unknown_name

_NOT_GIVEN = ("env", "seed", "_init_setup_model")  # the comparison gives environment and seed


def sb3_contestants(name: str, parameters: Mapping[str, Any], row: str = "") -> list[Contestant]:
    """Return the contestants that a name stands for.

    Args:
        name: "ppo", "a2c", "dqn", or "module:Class" of an algorithm of your own, for both protocols; "ppo@online" or
            "ppo@pretrained" for one.
        parameters: Arguments of the algorithm's constructor, and "observation". For the pretrained one only:
            "total_timesteps"; "deterministic", whether it always asks the LLM it deems best; "model", the file of a
            saved model to judge instead of training one.
        row: Name of their rows; "" for the algorithm's.

    Raises:
        ImportError: If Stable-Baselines3 is not installed.
        ValueError: For an unknown name or parameter.
    """
    algorithm, at, protocol = name.partition("@")
    if not is_sb3(algorithm):
        raise unknown_name("algorithm of Stable-Baselines3", algorithm, SB3_ALGORITHMS)
    if not at:
        online = {key: value for key, value in parameters.items() if key not in TRAINING}
        return [OnlineContestant(algorithm, online, row), PretrainedContestant(algorithm, parameters, row)]
    if protocol == OnlineContestant.protocol:
        return [OnlineContestant(algorithm, parameters, row)]
    if protocol == PretrainedContestant.protocol:
        return [PretrainedContestant(algorithm, parameters, row)]
    raise unknown_name(f"protocol of {algorithm}", protocol, [OnlineContestant.protocol, PretrainedContestant.protocol])


class SB3Contestant:
    """What both protocols share; see `Contestant`."""

    protocol: str
    block_size: int
    feedback = "bandit"
    maximises = "reward"
    is_frozen = False

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
        env = PickLLMEnv(problem.table, observation=self.observation)
        try:
            self._new_model(env, seed=0)
        except Exception as error:  # it asserts and raises whatever it stumbles over
            complaint = " ".join(str(error).split())
            raise ValueError(f"{self.name}: Stable-Baselines3 refuses its parameters: {complaint}") from error

    def run(self, setting: Setting, work: Block | Training, on_step: Callable[[int], None]) -> SessionLog | FloatArray:
        """See `Contestant`."""
        raise NotImplementedError

    def n_trainings(self, asked_for: int) -> int:
        """See `Contestant`."""
        return asked_for

    def _new_model(self, env: Any, seed: int) -> Any:
        return self._class(env=env, seed=seed, **self._arguments)

    def _seed(self, setting: Setting, purpose: str) -> int:
        return setting.agent_seed(f"{self.agent} ({self.protocol})", purpose)


class OnlineContestant(SB3Contestant):
    """A fresh model per session, judged on every query it routes while it learns."""

    protocol = "online"
    block_size = 10  # sessions run one after another

    def run(self, setting: Setting, work: Block | Training, on_step: Callable[[int], None]) -> SessionLog:
        """See `Contestant`."""
        assert isinstance(work, Block)  # nothing of it is ever frozen
        from stable_baselines3.common.env_util import make_vec_env

        options = {**setting.options, "observation": self.observation, "info": "numbers"}
        if setting.live is not None:
            options |= {"backend": setting.live.open(setting.table), "pool": setting.live.pool_for(setting.table)}
        session = PickLLMEnv(**options)
        recorder = SessionRecorder(TimeLimit(session, setting.length), on_step)
        env = make_vec_env(lambda: recorder)
        try:
            with one_thread():
                return SessionLog.concatenate(
                    [
                        self._session(env, recorder, setting, context, seed, work.length)
                        for context, seed in zip(work.contexts, work.seeds, strict=True)
                    ]
                )
        finally:
            env.close()

    def _session(
        self, env: Any, recorder: SessionRecorder, setting: Setting, context: str, seed: int, length: int
    ) -> SessionLog:
        from stable_baselines3.common.logger import Logger

        model = self._new_model(env, self._seed(setting, f"{context}/{seed}"))
        model.set_logger(Logger(None, []))  # its own would leave an empty folder per session

        def distribution(observations: Any) -> Any:
            return action_distribution(model, observations)

        recorder.start(length, distribution if setting.propensities else None)
        # After the model, which seeds the environment with its own seed.
        env.seed(seed)
        env.set_options({"context": context})
        # A rollout that ends with the session is learned from; one that would go on in another session is dropped.
        with suppress(SessionEndedError):
            model.learn(length)
        return recorder.log(distribution(recorder.last_observation[None]))


class PretrainedContestant(SB3Contestant):
    """A model trained on the train split, all contexts mixed, or a saved one; frozen, and judged on the test split.

    Attributes:
        models: By number of the training seed, those that were trained in this process; a saved one is number 0.
    """

    protocol = "pretrained"
    block_size = 10_000
    is_frozen = True

    def __init__(self, agent: str, parameters: Mapping[str, Any], row: str = "") -> None:
        """See `SB3Contestant`.

        Raises:
            ValueError: Also for an impossible `total_timesteps`, or parameters of training beside a saved model.
        """
        super().__init__(agent, parameters, row)
        timesteps = self._own["total_timesteps"]
        if not isinstance(timesteps, int) or timesteps < 1:
            raise ValueError(f"{self.name}: total_timesteps must be an integer of 1 or more, got {timesteps!r}.")
        self.models: dict[int, Any] = {}
        if self._own["model"] is not None:
            idle = sorted(set(parameters) - {"observation", "deterministic", "model"})
            if idle:
                raise ValueError(f"{self.name} judges a saved model as it is: leave out {', '.join(idle)}.")
            self.models[0] = load_model(agent, self._own["model"])

    def check(self, problem: RoutingProblem) -> None:
        """Construct a model once, or hold the saved one against the problem, for complaints."""
        if self.models:
            require_fair(self, problem)
            self._agent(PickLLMEnv(problem.table, observation=self.observation).task, 0, n_sessions=1, seed=0)
        else:
            problem.training_table()
            super().check(problem)

    def n_trainings(self, asked_for: int) -> int:
        """See `Contestant`; a saved model is one."""
        return 1 if self._own["model"] is not None else asked_for

    def run(self, setting: Setting, work: Block | Training, on_step: Callable[[int], None]) -> SessionLog | FloatArray:
        """See `Contestant`; live LLMs are asked under the first training seed."""
        number = work.number if isinstance(work, Training) else 0
        with one_thread():
            self._train(setting, number)
            if isinstance(work, Training):
                on_step(work.n_queries)
                return self._frozen_policy(setting, number)
            with closing(setting.vector_env(len(work.seeds), self.observation)) as env:
                seeds = setting.session_seeds(self.agent, work.contexts, work.seeds)
                return run_sessions(
                    env,
                    self._agent(env.task, 0, n_sessions=env.num_envs, seed=seeds),
                    work.seeds,
                    contexts=work.contexts,
                    propensities=setting.propensities,
                    on_step=lambda: on_step(env.num_envs),
                )

    def _frozen_policy(self, setting: Setting, number: int) -> FloatArray:
        problem = setting.problem(self.observation)
        policy = np.zeros(problem.cells.available.shape)
        for rows in batches_of(problem, len(problem.queries_of(MIXED))):
            agent = self._agent(problem.task, number, n_sessions=len(rows), seed=0)
            mask = problem.cells.available[rows] if problem.is_masked else None
            policy[rows] = agent.action_probabilities(problem.observations[rows % problem.table.n_queries], mask)
        return policy

    def _agent(self, task: RoutingTask, number: int, *, n_sessions: int, seed: int) -> FrozenPolicy:
        model, deterministic = self.models[number], self._own["deterministic"]
        return FrozenPolicy(task, n_sessions=n_sessions, seed=seed, model=model, deterministic=deterministic)

    def _train(self, setting: Setting, number: int) -> None:
        """Train a model unless there is one."""
        if number in self.models:
            return
        from stable_baselines3.common.env_util import make_vec_env

        options = {**setting.options, "split": "train", "context": MIXED, "observation": self.observation}

        def session() -> gym.Env[Any, Any]:
            return TimeLimit(PickLLMEnv(info="none", **options), setting.length)

        env = make_vec_env(session, n_envs=N_TRAINING_ENVS)
        try:
            model = self._new_model(env, self._seed(setting, f"training/{number}"))
            self.models[number] = model.learn(self._own["total_timesteps"])
        finally:
            env.close()
