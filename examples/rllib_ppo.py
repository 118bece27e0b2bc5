"""RLlib: PPO on the native vector environment; the id names the module, so that remote workers find it."""

import ray
import torch
from judging import report
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
config = (
    PPOConfig()
    .environment("llm_routing_env:PickLLM-v0", env_config={"split": "train", "info": "none"})
    .env_runners(num_env_runners=0, num_envs_per_env_runner=8, gym_env_vectorize_mode="vector_entry_point")
    .training(gamma=0.0, lr=1e-3, train_batch_size_per_learner=1_600, minibatch_size=128, num_epochs=6)
    .debugging(seed=0)
)
algorithm = config.build_algo()
for _ in range(6):
    algorithm.train()
module = algorithm.get_module()


def policy(observation, mask):
    """Pick the likeliest LLM."""
    with torch.no_grad():
        found = module.forward_inference({Columns.OBS: torch.as_tensor(observation)[None]})
    return int(found[Columns.ACTION_DIST_INPUTS].argmax())


report(policy)
algorithm.stop()
ray.shutdown()
