"""A folder of other people's tables is no place to run code from: only a plug-in that is named is imported from it."""

import subprocess
import sys
from pathlib import Path

import pytest

# As where pandas and Ray are not installed: whoever looks for them gets what lies on the path outside of site-packages.
PROGRAM = """
import sys
from importlib.machinery import PathFinder


class NotInstalled:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in ("pandas", "ray"):
            return None
        found = PathFinder.find_spec(name, [place for place in sys.path if "site-packages" not in place])
        if found is None:
            raise ModuleNotFoundError(name=name)
        return found


sys.meta_path.insert(0, NotInstalled)
from llm_routing_env.cli import main

main()
"""
TRAP = "import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\nraise ImportError('not pandas')\n"
AGENT = """
import neighbour


class MyAgent:
    def __init__(self, task):
        self.n_actions = task.n_actions

    def select_action(self, observation):
        return neighbour.FIRST

    def update(self, observation, action, reward):
        import pandas
"""
SMALL = ("--sessions", "2", "--length", "5")
LONG = "query_id,llm,prompt,accuracy,cost_usd\na,x,hello,1,0.1\na,y,hello,0,0.2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("pandas", "ray"):
        (tmp_path / f"{name}.py").write_text(TRAP)
    (tmp_path / "my_agent.py").write_text(AGENT)
    (tmp_path / "neighbour.py").write_text("FIRST = 0\n")
    (tmp_path / "long.csv").write_text(LONG)
    return tmp_path


def run(folder: Path, *arguments: str, program: str = PROGRAM) -> "subprocess.CompletedProcess[str]":
    """Run the command as its script does: Python itself puts no folder first."""
    command = [sys.executable, "-P", "-c", program, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "nano"),
        ("demo",),
        ("import", "long", "long.csv", "out.parquet", "--context", "art"),
        ("compare", *SMALL, "--agents", "random"),
        ("compare", *SMALL, "--agents", "random", "--engine", "ray"),
    ],
    ids=["inspect", "demo", "import", "compare", "ray"],
)
def test_no_command_runs_what_lies_in_the_folder(folder: Path, arguments: tuple[str, ...]):
    done = run(folder, *arguments)
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if "ray" in arguments else 0), done.stderr
    assert not list(folder.glob("*.ran"))


def test_a_plug_in_is_found_there_and_brings_its_neighbours_but_nothing_later(folder: Path):
    done = run(folder, "compare", *SMALL, "--agents", "my_agent:MyAgent,random")
    assert done.returncode == 1, done.stderr
    assert "random" in done.stdout
    assert "my_agent:MyAgent failed: ModuleNotFoundError" in done.stdout
    assert not list(folder.glob("*.ran"))


@pytest.mark.cluster
def test_workers_of_a_cluster_search_it_for_plug_ins_only(folder: Path):
    pytest.importorskip("ray")
    (folder / "ray.py").unlink()  # it is needed; Ray itself would put the folder first on its workers' path
    (folder / "numpy.py").write_text(TRAP)
    (folder / "my_agent.py").write_text(AGENT.replace("import pandas", "pass"))
    program = "from llm_routing_env.cli import main; main()"
    plug_in = ("--agents", "my_agent:MyAgent,random", "--engine", "ray")
    done = run(folder, "compare", *SMALL, *plug_in, program=program)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stdout + done.stderr
    assert not list(folder.glob("*.ran"))
