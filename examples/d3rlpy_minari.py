"""Minari and d3rlpy: sessions of a random policy collected as a data set, and CQL on it offline."""

import os
import tempfile

os.environ.setdefault("MINARI_DATASETS_PATH", tempfile.mkdtemp())

import d3rlpy
import gymnasium as gym
import minari
from judging import report

N_SESSIONS = 30

d3rlpy.seed(0)
env = minari.DataCollector(gym.make("PickLLM-v0", split="train", info="none"))
env.action_space.seed(0)
for seed in range(N_SESSIONS):
    env.reset(seed=seed)
    ended = False
    while not ended:
        _, _, _, ended, _ = env.step(env.action_space.sample())
env.create_dataset(dataset_id="pickllm/random-v0", algorithm_name="random", description="Random routing on nano.")
env.close()

dataset, _ = d3rlpy.datasets.get_minari("pickllm/random-v0")
cql = d3rlpy.algos.DiscreteCQLConfig(gamma=0.0, alpha=0.1, learning_rate=1e-3, batch_size=64).create(device="cpu")
cql.fit(
    dataset,
    n_steps=2_000,
    n_steps_per_epoch=1_000,
    logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
    show_progress=False,
)

report(lambda observation, mask: int(cql.predict(observation[None])[0]))
