"""CleanRL's style: DQN in a single file, on the native vector environment of Gymnasium's API."""

import gymnasium as gym
import numpy as np
import torch
from judging import report

N_ENVS, N_STEPS, BATCH = 16, 1_000, 128

rng = np.random.default_rng(0)
torch.manual_seed(0)
envs = gym.make_vec("PickLLM-v0", num_envs=N_ENVS, split="train", info="none", autoreset_mode="SAME_STEP")
envs = gym.wrappers.vector.RecordEpisodeStatistics(envs)
q_network = torch.nn.Sequential(
    torch.nn.Linear(envs.single_observation_space.shape[0], 64),
    torch.nn.ReLU(),
    torch.nn.Linear(64, int(envs.single_action_space.n)),
)
optimizer = torch.optim.Adam(q_network.parameters(), lr=3e-3)
replay = []

envs.action_space.seed(0)
observation, _ = envs.reset(seed=0)
for step in range(N_STEPS):
    epsilon = max(0.1, 1 - 2 * step / N_STEPS)
    with torch.no_grad():
        greedy = q_network(torch.as_tensor(observation)).argmax(dim=1).numpy()
    action = np.where(rng.random(N_ENVS) < epsilon, envs.action_space.sample(), greedy)
    following, reward, _, _, infos = envs.step(action)
    replay += zip(observation, action, reward, strict=True)
    observation = following
    if "episode" in infos and step % 200 == 199:
        print(f"step {step + 1}: {np.mean(infos['episode']['r']) / 200:.3f} a query")

    drawn = [replay[i] for i in rng.integers(len(replay), size=BATCH)]
    seen, actions, targets = (np.array(column) for column in zip(*drawn, strict=True))
    values = q_network(torch.as_tensor(seen)).gather(1, torch.as_tensor(actions)[:, None])[:, 0]
    # gamma is 0, a query does not lead to the next: the target is the reward.
    loss = torch.nn.functional.mse_loss(values, torch.as_tensor(targets, dtype=torch.float32))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
envs.close()

report(lambda observation, mask: int(q_network(torch.as_tensor(observation)).argmax()))
