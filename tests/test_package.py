"""The wheel built from the sdist, installed alone in an empty environment outside the clone."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = """
import gymnasium as gym
from llm_routing_env.agents import make_agent
env = gym.make("llm_routing_env:PickLLM-v0", context="math")
agent = make_agent("learning_automaton", env.unwrapped.task, seed=0)
observation, info = env.reset(seed=0)
action = agent.select_action(observation)
print(env.step(action)[1])
"""


@pytest.mark.package
def test_the_wheel_from_the_sdist_works_alone(tmp_path: Path):
    def run(*command: str | Path) -> str:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", ROOT)  # sdist, then the wheel from it
    wheel = next((tmp_path / "dist").glob("*.whl"))
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel)
    run(tmp_path / "venv" / "bin" / "pickllm", "compare", "--sessions", "2", "--length", "10", "--out", "results")
    assert (tmp_path / "results" / "regret.png").is_file()
    float(run(python, "-c", EXAMPLE))
    assert "torch" not in run(python, "-m", "pip", "list")
