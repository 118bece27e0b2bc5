"""Where what only POSIX systems have is absent, recorded outcomes can be used all the same."""

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import os, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("fork", "getuid", "killpg", "sysconf"):
    delattr(os, name)
import gymnasium as gym, llm_routing_env
env = gym.make_vec("PickLLM-v0", num_envs=2)
env.reset(seed=0)
env.step(env.action_space.sample())
from llm_routing_env.cli import COMMANDS, _imported, main
for name in COMMANDS:
    _imported(name)
main()
"""


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("compare", "--sessions", "2", "--length", "4", "--agents", "random", "--out", "run"), 0, ""),
        (("inspect", "nano"), 0, ""),
        (("serve", "nano"), 2, "pickllm: Serving LLMs needs Linux or macOS"),
        (("demo", "--backend", "vllm", "--yes"), 2, "pickllm: Pool 'nano' is not being served here"),
    ],
    ids=["compare", "inspect", "serve", "live"],
)
def test_a_command_without_posix(arguments: tuple[str, ...], code: int, line: str, tmp_path: Path):
    command = [sys.executable, "-c", WITHOUT, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert line in done.stderr
    assert "Traceback" not in done.stderr
