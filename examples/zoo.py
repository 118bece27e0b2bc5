"""RL Baselines3 Zoo: this file is the configuration, and calls the zoo's own command.

By hand: python -m rl_zoo3.train --algo ppo --env PickLLM-v0 --gym-packages llm_routing_env --conf-file examples/zoo.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

hyperparams = {
    "PickLLM-v0": {
        "policy": "MlpPolicy",
        "n_envs": 4,
        "n_timesteps": 20_000,
        "n_steps": 256,
        "gamma": 0.0,
    }
}


def train(folder: Path) -> Path:
    """Train by the zoo's command, and return the model's file."""
    command = "-m rl_zoo3.train --algo ppo --env PickLLM-v0 --gym-packages llm_routing_env --seed 0 --eval-freq -1"
    own = ["--conf-file", __file__, "--log-folder", str(folder), "--env-kwargs", "split:'train'"]
    subprocess.run([sys.executable, *command.split(), *own], check=True, stdout=subprocess.DEVNULL)
    return next(folder.rglob("PickLLM-v0.zip"))


if __name__ == "__main__":
    from judging import report
    from stable_baselines3 import PPO

    with tempfile.TemporaryDirectory() as folder:
        model = PPO.load(train(Path(folder)), device="cpu")
    report(lambda observation, mask: int(model.predict(observation, deterministic=True)[0]))
