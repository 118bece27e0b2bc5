"""MO-Gymnasium: the vector reward of `PickLLM-MO-v0`, made one number by its `LinearReward`; DQN learns from that."""

import mo_gymnasium
import numpy as np
from judging import report
from mo_gymnasium.wrappers import LinearReward
from stable_baselines3 import DQN

WEIGHTS = (1.0, 0.5, 0.5)  # of accuracy, cost and latency

env = LinearReward(mo_gymnasium.make("PickLLM-MO-v0", split="train", info="none"), weight=np.array(WEIGHTS))
model = DQN(
    "MlpPolicy",
    env,
    gamma=0.0,
    learning_rate=1e-3,
    learning_starts=200,
    train_freq=1,
    exploration_fraction=0.5,
    seed=0,
)
model.learn(5_000)

# The additive reward of PickLLM-v0 with these weights is the same number.
report(
    lambda observation, mask: int(model.predict(observation, deterministic=True)[0]), reward="additive", weights=WEIGHTS
)
