"""What is built and shipped: the sdist, the wheel from it alone in an empty environment, and the types of both."""

import re
import subprocess
import sys
import tarfile
import venv
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MIB = 2**20
EXAMPLE = """
import gymnasium as gym
from llm_routing_env.agents import make_agent
env = gym.make("llm_routing_env:PickLLM-v0", context="math")
agent = make_agent("learning_automaton", env.get_wrapper_attr("task"), seed=0)
observation, info = env.reset(seed=0)
action = agent.select_action(observation)
print(env.step(action)[1])
"""
# Of the core, what is quick and reads what an sdist might lack.
FROM_THE_SDIST = ("tests/cli/test_commands.py", "tests/tables", "tests/envs/test_pickllm.py")
OWN_CLASS = """
from llm_routing_env.envs import PickLLMEnv
own = PickLLMEnv(context="math")
observation, info = own.reset(seed=0)
following, number, terminated, truncated, info = own.step(agent.select_action(observation))
print(number + 1.0)
"""


def run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sdist, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(folder, sys.executable, "-m", "build", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def python(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return Python of an empty environment in which the wheel was installed."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder / "venv", with_pip=True)
    found = folder / "venv" / "bin" / "python"
    run(folder, found, "-m", "pip", "install", "--quiet", next(dist.glob("*.whl")))
    return found


@pytest.mark.package
def test_the_sdist_has_each_file_once_and_both_are_small(dist: Path):
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    with tarfile.open(sdist) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        assert not [member.name for member in archive.getmembers() if member.issym() or member.islnk()]
    assert max(Counter(member.name for member in files).values()) == 1
    large = Counter((Path(member.name).name, member.size) for member in files if member.size > 100_000)
    assert max(large.values()) == 1, large.most_common(3)
    assert sdist.stat().st_size <= 12 * MIB
    assert wheel.stat().st_size <= 10 * MIB


@pytest.mark.package
def test_the_wheel_from_the_sdist_works_alone(python: Path, tmp_path: Path):
    run(tmp_path, python.with_name("pickllm"), "compare", "--sessions", "2", "--length", "10", "--out", "results")
    assert (tmp_path / "results" / "regret.png").is_file()
    float(run(tmp_path, python, "-c", EXAMPLE))
    assert "torch" not in run(tmp_path, python, "-m", "pip", "list")


@pytest.mark.package
def test_the_tests_of_the_sdist_pass_against_the_wheel(python: Path, dist: Path, tmp_path: Path):
    run(tmp_path, python, "-m", "pip", "install", "--quiet", "hypothesis", "pytest", "pytest-timeout")
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.glob("llm_routing_env-*")
    (root / "llm_routing_env").rename(tmp_path / "not_here")  # so that the wheel's is tested
    run(root, python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FROM_THE_SDIST)


@pytest.mark.package
def test_a_link_that_is_a_text_file_fails_the_build_with_a_line(tmp_path: Path):
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "llm_routing_env").mkdir()
    (tmp_path / "llm_routing_env" / "__init__.py").touch()
    (tmp_path / "llm_routing_env" / "agents").write_text("../agents")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "llm_routing_env/agents is no link to a folder: clone with `git clone -c core.symlinks=true`" in said
    assert "Traceback" not in said


@pytest.mark.package  # half a minute: mypy reads all that is imported
def test_the_loop_of_the_readme_is_typed(tmp_path: Path):
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    (tmp_path / "mine.py").write_text(code + OWN_CLASS, encoding="utf-8")
    run(tmp_path, sys.executable, "-m", "mypy", "--strict", "--config-file=", "mine.py")
