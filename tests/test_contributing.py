"""The agent in CONTRIBUTING works as written, by the command that stands under it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

GUIDE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_agent_in_contributing_is_compared_as_written(tmp_path: Path):
    (tmp_path / "my_agent.py").write_text(re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)[1])
    command = shlex.split(re.search(r"^pickllm (compare --agents .*)$", GUIDE, re.MULTILINE)[1])
    done = subprocess.run(
        [sys.executable, "-m", "llm_routing_env.cli", *command, "--sessions", "10"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "SampleMeanGreedy  " in done.stdout


def test_the_agent_in_contributing_passes_the_contract_tests(tmp_path: Path):
    (tmp_path / "my_agent.py").write_text(re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)[1])
    environment = os.environ | {"PICKLLM_AGENTS": "my_agent:SampleMeanGreedy", "PYTHONPATH": str(tmp_path)}
    contract = Path(__file__).parent / "agents" / "test_contract.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(contract), "-k", "SampleMeanGreedy"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
