"""How Stable-Baselines3's algorithms are set up for routing, where that is not its own default."""

from typing import Any

Arguments = dict[str, Any]

SB3_ALGORITHMS = {"ppo": "PPO", "a2c": "A2C", "dqn": "DQN"}
OBSERVATION = "embedding32"
N_TRAINING_ENVS = 8
# What only a pretrained agent has: how long it is trained, whether it then asks its favourite LLM or draws one,
# and the file of a model to judge instead of training one.
TRAINING: Arguments = {"total_timesteps": 20_000, "deterministic": True, "model": None}

# A routed query changes nothing about the next one: its reward is its whole return.
_ROUTING: Arguments = {"policy": "MlpPolicy", "gamma": 0.0, "device": "cpu"}
# Chosen on the train split of nano's first recording: sessions of 200 of its queries; trained on one half of it and
# judged on the other.
_BY_PROTOCOL: dict[str, dict[str, Arguments]] = {
    # Many small updates: a session of some 200 queries is all that such a learner ever sees.
    "online": {
        "ppo": {"n_steps": 10, "batch_size": 10, "n_epochs": 5, "learning_rate": 5e-3},
        "a2c": {"n_steps": 5, "learning_rate": 2e-3},
        "dqn": {
            "learning_starts": 10,
            "train_freq": 1,
            "buffer_size": 1000,
            "learning_rate": 2e-3,
            "exploration_fraction": 0.2,
            "exploration_final_eps": 0.01,
        },
    },
    "pretrained": {
        "ppo": {"n_steps": 64, "batch_size": 64, "n_epochs": 5, "learning_rate": 5e-4},
        "a2c": {"n_steps": 16, "learning_rate": 3e-3},
        "dqn": {"learning_starts": 500, "train_freq": 1, "buffer_size": 20_000, "learning_rate": 1e-3},
    },
}


def sb3_arguments(algorithm: str, protocol: str) -> Arguments:
    """Return the arguments of an algorithm's constructor that differ from its own defaults."""
    return _ROUTING | _BY_PROTOCOL[protocol].get(algorithm, {})


def describe_sb3() -> list[dict[str, Any]]:
    """Return name, protocol, feedback, observation and default parameters of each algorithm under each protocol.

    Parameters that are not listed have Stable-Baselines3's own defaults.
    """
    return [
        {
            "name": f"{algorithm}@{protocol}",
            "protocol": protocol,
            "feedback": "bandit",
            "observation": OBSERVATION,
            "parameters": sb3_arguments(algorithm, protocol) | (TRAINING if protocol == "pretrained" else {}),
        }
        for algorithm in SB3_ALGORITHMS
        for protocol in _BY_PROTOCOL
    ]
