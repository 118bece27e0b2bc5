"""Stable-Baselines3: PPO on many sessions in one numpy step."""

from judging import report
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from llm_routing_env.envs import PickLLMSB3VecEnv

env = VecMonitor(PickLLMSB3VecEnv(32, split="train"))
model = PPO("MlpPolicy", env, n_steps=64, batch_size=256, gamma=0.0, seed=0)  # a query does not lead to the next
model.learn(40_000)

report(lambda observation, mask: int(model.predict(observation, deterministic=True)[0]))
