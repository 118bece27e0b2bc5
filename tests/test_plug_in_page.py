"""The agents in docs/plug-in.md work as written, by the commands that stand under them."""

import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import llm_routing_env  # noqa: F401  (registers the environments)
from llm_routing_env.evaluation import CHECKS
from llm_routing_env.evaluation.sb3.models import one_thread

GUIDE = (Path(__file__).parents[1] / "docs" / "plug-in.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
AGENTS = "\n".join(code for code in CODE if "Agent)" in code)


def test_the_agents_of_the_page_are_compared_as_written(tmp_path: Path):
    (tmp_path / "my_agent.py").write_text(AGENTS)
    command = shlex.split(re.search(r"^pickllm (compare --agents .*)$", GUIDE, re.MULTILINE)[1])
    done = subprocess.run(
        [sys.executable, "-m", "llm_routing_env.cli", *command, "--sessions", "10"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "\nGreedy  " in done.stdout
    assert "SampleMeanGreedy  " in done.stdout


def test_the_agents_of_the_page_pass_the_checks_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "my_agent.py").write_text(AGENTS)
    monkeypatch.syspath_prepend(tmp_path)
    (code,) = [block for block in CODE if "import check_agent" in block]
    exec(code, {})
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("{'probabilities_are_frequencies': 'it gives no action probabilities', ")
    assert second == "{}"


def test_the_checklist_is_what_is_checked():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", GUIDE, re.MULTILINE))
    said = {check.__name__: inspect.getdoc(check).rstrip(".") for check in CHECKS}
    assert {name: rows[name][0].upper() + rows[name][1:] for name in said} == said


def test_the_scenario_of_the_page_does_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (code,) = [block for block in CODE if "def dearer" in block]
    (tmp_path / "my_scenario.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    call = re.search(r"`(gym\.make\(\"PickLLM-v0\", scenario=.*?\))`", GUIDE)[1]
    env, plain = eval(call), gym.make("PickLLM-v0")
    env.reset(seed=0), plain.reset(seed=0)
    costs = [env.step(1)[4]["cost_usd"] / plain.step(1)[4]["cost_usd"] for _ in range(102)]
    assert costs == pytest.approx([1.0] * 100 + [10.0] * 2)


def test_the_algorithm_of_the_page_learns_as_written():
    pytest.importorskip("stable_baselines3")
    (code,) = [block for block in CODE if "PickLLMSB3VecEnv" in block]
    names: dict[str, Any] = {}
    with one_thread():
        exec(code.replace("16_384", "2_048"), names)
    assert names["model"].num_timesteps == 2_048
