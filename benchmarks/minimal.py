"""Train and judge an agent without the command line: one session per seed, in every context.

python benchmarks/minimal.py
"""

import gymnasium as gym
import numpy as np

import llm_routing_env
from llm_routing_env.agents import make_agent

gym.register_envs(llm_routing_env)
env = gym.make("PickLLM-v0", observation="none")
for context in env.unwrapped.problem.contexts:
    best = int(np.argmax(env.unwrapped.expected_rewards(context)))
    regrets, right = [], 0
    for seed in range(20):
        agent = make_agent("epsilon_greedy_q", env.unwrapped.task, seed=seed)
        observation, _ = env.reset(seed=seed, options={"context": context})
        regret, truncated = 0.0, False
        while not truncated:
            action = agent.select_action(observation)
            following, reward, _, truncated, info = env.step(action)
            agent.update(observation, action, reward)
            observation, regret = following, regret + info["regret"]
        regrets.append(regret)
        right += agent.committed_action == best
    print(f"{context:10} regret {np.mean(regrets):5.1f} +/- {np.std(regrets) / np.sqrt(20):.1f}, {right} of 20 right")
