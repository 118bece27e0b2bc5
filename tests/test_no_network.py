"""What importing and stepping may not do, and what the code may not hold: no network, no child process, no pickle."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "llm_routing_env"
# Python reports these whoever does them, libraries in C that use Python's sockets included.
WATCH = """
import sys
FORBIDDEN = ("socket.", "subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system")

def watch(event, arguments):
    if event.startswith(FORBIDDEN):
        raise PermissionError(f"{event} {arguments}")

sys.addaudithook(watch)
"""
EVERYTHING = """
import importlib, pkgutil, llm_routing_env
for module in pkgutil.walk_packages(llm_routing_env.__path__, "llm_routing_env."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
SESSION = """
import gymnasium as gym, llm_routing_env
from llm_routing_env.agents import make_agent
env = gym.make("PickLLM-v0", max_episode_steps=5)
agent = make_agent("learning_automaton", env.unwrapped.task, seed=0)
observation, info = env.reset(seed=0)
for _ in range(5):
    action = agent.select_action(observation)
    observation, reward, terminated, truncated, info = env.step(action)
    agent.update(observation, action, reward)
many = gym.make_vec("PickLLM-v0", num_envs=3, vectorization_mode="vector_entry_point")
many.reset(seed=0)
many.step([0, 1, 2])
"""
CROISSANT = """
import mlcroissant
from llm_routing_env.report.croissant import croissant_document
from llm_routing_env.tables.table import OutcomeTable
table = OutcomeTable.read("nano")
assert croissant_document(table)
next(iter(mlcroissant.Dataset(table.path.with_name("croissant.json")).records("outcomes")))
"""


@pytest.mark.parametrize("program", [EVERYTHING, SESSION], ids=["import", "session"])
def test_nothing_is_sent_and_nothing_is_started(program: str, tmp_path: Path):
    command = [sys.executable, "-c", WATCH + program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_describing_a_table_and_reading_it_through_its_description_send_nothing(tmp_path: Path):
    pytest.importorskip("mlcroissant")
    test_nothing_is_sent_and_nothing_is_started(CROISSANT, tmp_path)


@pytest.mark.parametrize("program", ["import socket; socket.socket()", "import os; os.system('true')"])
def test_the_watch_sees_what_it_shall_see(program: str):
    done = subprocess.run([sys.executable, "-c", WATCH + program], capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr


MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml"}
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {("os", "system"), ("os", "popen"), ("torch", "load"), ("np", "fromregex")}


def dangers(tree: ast.AST) -> list[str]:
    """Return what runs a text, or a file, as a program."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [name for name in names if name.split(".")[0] in MODULES]
        elif isinstance(node, ast.Call):
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if isinstance(node.func, ast.Name) and node.func.id in CALLS:
                found.append(node.func.id)
            if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                called = (node.func.value.id, node.func.attr)
                is_open = called == ("np", "load") and keywords.get("allow_pickle") != "False"
                found += [".".join(called)] if called in METHODS or is_open else []
            found += [f"{name}={keywords[name]}" for name in ("shell", "allow_pickle") if keywords.get(name) == "True"]
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_text_and_no_file_is_run_as_a_program(path: Path):
    assert dangers(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "program",
    [
        *("import pickle", "from yaml import load", "eval(text)", "os.system(text)", "np.load(path)"),
        *(
            "np.load(path, allow_pickle=True)",
            "subprocess.run(text, shell=True)",
            "read_array(file, allow_pickle=True)",
        ),
    ],
)
def test_dangers_are_seen(program: str):
    assert dangers(ast.parse(program))
