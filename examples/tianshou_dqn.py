"""Tianshou 2: DQN by its procedural API."""

import gymnasium as gym
import tianshou as ts
import torch
from judging import report
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, CollectStats, VectorReplayBuffer
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.space_info import SpaceInfo

torch.manual_seed(0)
train = ts.env.DummyVectorEnv([lambda: gym.make("PickLLM-v0", split="train", info="none") for _ in range(4)])
test = ts.env.DummyVectorEnv([lambda: gym.make("PickLLM-v0", info="none") for _ in range(2)])
train.seed(0), test.seed(0)

env = gym.make("PickLLM-v0")
spaces = SpaceInfo.from_env(env)
net = Net(
    state_shape=spaces.observation_info.obs_shape, action_shape=spaces.action_info.action_shape, hidden_sizes=[64]
)
policy = DiscreteQLearningPolicy(model=net, action_space=env.action_space, eps_training=0.3, eps_inference=0.0)
algorithm = ts.algorithm.DQN(policy=policy, optim=AdamOptimizerFactory(lr=3e-3), gamma=0.0, target_update_freq=100)
algorithm.run_training(
    OffPolicyTrainerParams(
        training_collector=Collector[CollectStats](algorithm, train, VectorReplayBuffer(10_000, 4)),
        test_collector=Collector[CollectStats](algorithm, test),
        max_epochs=2,
        epoch_num_steps=2_000,
        collection_step_num_env_steps=20,
        test_step_num_episodes=2,
        batch_size=64,
        update_step_num_gradient_steps_per_sample=0.2,
        show_progress=False,
    )
)

policy.eval()
report(lambda observation, mask: int(policy.compute_action(observation)))
