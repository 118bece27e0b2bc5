"""How every example is judged: queries of the test split, each context in its turn, beside a random choice.

A few episodes of `evaluate_policy` would mostly measure which contexts were drawn.
"""

import json
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

import llm_routing_env

gym.register_envs(llm_routing_env)
N_SESSIONS = 2  # of each context

Policy = Callable[[np.ndarray, np.ndarray], int]  # observation, action mask -> LLM


def mean_reward(policy: Policy, **settings: Any) -> float:
    """Return a policy's reward a query on `PickLLM-v0` with these settings."""
    env = gym.make("PickLLM-v0", info="none", **settings)
    rewards = []
    for context in env.unwrapped.problem.table.contexts:
        for seed in range(N_SESSIONS):
            observation, _ = env.reset(seed=seed, options={"context": context})
            ended = False
            while not ended:
                action = policy(observation, env.unwrapped.action_masks())
                observation, reward, _, ended, _ = env.step(action)
                rewards.append(reward)
    return float(np.mean(rewards))


def random_policy(seed: int = 0) -> Policy:
    """Return a policy that picks any LLM that can be asked, all as likely."""
    rng = np.random.default_rng(seed)
    return lambda observation, mask: int(rng.choice(np.flatnonzero(mask)))


def report(policy: Policy, **settings: Any) -> None:
    """Judge a policy, and print what it earned."""
    say(mean_reward(policy, **settings), mean_reward(random_policy(), **settings))


def say(reward: float, random: float) -> None:
    """Print one line, which `make examples` reads."""
    print(json.dumps({"reward": round(reward, 3), "random": round(random, 3)}))
