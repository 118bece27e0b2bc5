"""TorchRL: DQN with its collector, replay buffer and loss."""

import torch
from judging import report
from tensordict import TensorDict
from tensordict.nn import TensorDictSequential
from torchrl.collectors import Collector
from torchrl.data import LazyTensorStorage, ReplayBuffer
from torchrl.envs import GymEnv
from torchrl.modules import MLP, EGreedyModule, QValueActor
from torchrl.objectives import DQNLoss

torch.manual_seed(0)
env = GymEnv("PickLLM-v0", split="train", info="none", categorical_action_encoding=True)
env.set_seed(0)
network = MLP(in_features=384, out_features=4, num_cells=[64])
actor = QValueActor(network, in_keys=["observation"], spec=env.action_spec, action_space="categorical")
exploring = EGreedyModule(env.action_spec, eps_init=1.0, eps_end=0.1, annealing_num_steps=2_000)
replay = ReplayBuffer(storage=LazyTensorStorage(4_000), batch_size=64)
loss = DQNLoss(actor, action_space="categorical", delay_value=False)
loss.make_value_estimator(gamma=0.0)  # a query does not lead to the next
optimizer = torch.optim.Adam(loss.parameters(), lr=3e-3)

collector = Collector(
    env,
    TensorDictSequential(actor, exploring),
    frames_per_batch=100,
    total_frames=4_000,
    auto_register_policy_transforms=True,
)
for data in collector:
    exploring.step(data.numel())
    replay.extend(data.reshape(-1))
    for _ in range(25):
        optimizer.zero_grad()
        loss(replay.sample())["loss"].backward()
        optimizer.step()


def policy(observation, mask):
    """Pick the LLM of the highest value."""
    return int(actor(TensorDict({"observation": torch.as_tensor(observation)}, []))["action"])


report(policy)
