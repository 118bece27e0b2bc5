"""Vowpal Wabbit: `--cb_explore` learns as it routes, from the reward of the LLM that it asked and its probability."""

import gymnasium as gym
import numpy as np
import vowpalwabbit
from judging import report

env = gym.make("PickLLM-v0", split="train", context="mixed", info="none", max_episode_steps=3_000)
n_llms = int(env.action_space.n)
learner = vowpalwabbit.Workspace(f"--cb_explore {n_llms} --epsilon 0.1 --random_seed 0 --quiet")
rng = np.random.default_rng(0)


def features(observation):
    """Return an observation in its text format."""
    return "| " + " ".join(f"{i}:{value:.5f}" for i, value in enumerate(observation))


observation, _ = env.reset(seed=0)
ended = False
while not ended:
    chances = np.array(learner.predict(features(observation)))
    action = int(rng.choice(n_llms, p=chances / chances.sum()))
    following, reward, _, ended, _ = env.step(action)
    learner.learn(f"{action + 1}:{-reward:.6f}:{chances[action]:.6f} {features(observation)}")  # it wants costs
    observation = following

report(lambda observation, mask: int(np.argmax(learner.predict(features(observation)))))
