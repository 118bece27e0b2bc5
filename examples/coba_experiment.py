"""coba: sessions as simulated interactions, with every LLM's reward, and an experiment of its learners on them."""

import coba as cb
import gymnasium as gym
from coba.primitives import Environment, SimulatedInteraction
from judging import say

import llm_routing_env

gym.register_envs(llm_routing_env)


class PickLLMSession(Environment):
    """The session that `PickLLM-v0` draws for a seed: its queries, and what each LLM would have earned."""

    def __init__(self, seed, **settings):
        self._seed, self._settings = seed, settings

    @property
    def params(self):
        """Return what tells this session from others in coba's results."""
        return {"env_type": "PickLLM-v0", "seed": self._seed, **self._settings}

    def read(self):
        """Yield an interaction for each query."""
        env = gym.make("PickLLM-v0", info="none", **self._settings)
        observation, _ = env.reset(seed=self._seed)
        actions = [str(name) for name in env.unwrapped.task.llm_names]
        for rewards in env.unwrapped.session_rewards():
            yield SimulatedInteraction(observation.tolist(), actions, rewards.tolist())
            observation, *_ = env.step(0)  # which LLM is asked does not change what comes next


sessions = [PickLLMSession(seed, context="mixed", observation="embedding32", max_episode_steps=900) for seed in (0, 1)]
learners = [cb.RandomLearner(), cb.VowpalEpsilonLearner(epsilon=0.1, features=["a", "xa"])]
result = cb.Experiment(cb.Environments(sessions), learners).run(quiet=True)

rewards = result.interactions.to_pandas().groupby("learner_id")["reward"].mean()
say(reward=rewards[1], random=rewards[0])  # over all queries, while it learns
