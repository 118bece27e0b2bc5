"""Stable-Baselines3's algorithms as learners that are fresh in every session."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gymnasium.wrappers import TimeLimit

from llm_routing_env.envs.pickllm import PickLLMEnv
from llm_routing_env.evaluation.contestants import Block, Work
from llm_routing_env.evaluation.sb3.base import SB3Contestant
from llm_routing_env.evaluation.sb3.models import (
    action_distribution,
    one_thread,
)
from llm_routing_env.evaluation.sb3.recording import SessionEndedError, SessionRecorder
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.evaluation.setting import Setting


class OnlineContestant(SB3Contestant):
    """A fresh model per session, judged on every query it routes while it learns."""

    protocol = "online"
    block_size = 10  # sessions run one after another

    def run(self, setting: Setting, work: Work, on_step: Callable[[int], None]) -> SessionLog:
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
