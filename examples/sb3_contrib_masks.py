"""sb3-contrib: MaskablePPO where an LLM is out of service for a while, and is masked."""

from judging import report
from sb3_contrib import MaskablePPO

from llm_routing_env.envs import PickLLMSB3VecEnv

env = PickLLMSB3VecEnv(32, split="train", scenario="outage")  # its action_masks() say who can be asked
model = MaskablePPO("MlpPolicy", env, n_steps=64, batch_size=256, gamma=0.0, seed=0)
model.learn(40_000)


def policy(observation, mask):
    """Pick the best LLM of those that can be asked."""
    return int(model.predict(observation, action_masks=mask, deterministic=True)[0])


report(policy, scenario="outage")
