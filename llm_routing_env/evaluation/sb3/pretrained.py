"""Stable-Baselines3's algorithms as routers that are trained on the train split and then frozen."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import numpy as np

from llm_routing_env.agents import RoutingTask
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.envs.pickllm import PickLLMEnv
from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.evaluation.contestants import Lives, Training, Work, batches_of, require_fair
from llm_routing_env.evaluation.sb3.base import SB3Contestant
from llm_routing_env.evaluation.sb3.defaults import (
    N_TRAINING_ENVS,
)
from llm_routing_env.evaluation.sb3.models import (
    FrozenPolicy,
    load_model,
    one_thread,
)
from llm_routing_env.evaluation.sessions import SessionLog, run_sessions
from llm_routing_env.evaluation.setting import Setting


class PretrainedContestant(SB3Contestant):
    """A model trained on the train split, all contexts mixed, or a saved one; frozen, and judged on the test split.

    Attributes:
        models: By number of the training seed, those that were trained in this process; a saved one is number 0.
    """

    protocol = "pretrained"
    block_size = 10_000
    is_frozen = learns_late = True  # in sessions it learns nothing, early or late

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

    def run(self, setting: Setting, work: Work, on_step: Callable[[int], None]) -> SessionLog | FloatArray:
        """See `Contestant`; live LLMs are asked under the first training seed."""
        assert not isinstance(work, Lives)
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
        from llm_routing_env.envs.sb3_vector import PickLLMSB3VecEnv

        options = {**setting.before().options, "observation": self.observation}
        env = PickLLMSB3VecEnv(N_TRAINING_ENVS, max_episode_steps=setting.length, **options)
        try:
            model = self._new_model(env, self._seed(setting, f"training/{number}"))
            self.models[number] = model.learn(self._own["total_timesteps"])
        finally:
            env.close()
