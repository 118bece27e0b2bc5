"""What importing costs, and that imports run one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "llm_routing_env"
HEAVY = ("torch", "vllm", "transformers", "sentence_transformers", "matplotlib", "stable_baselines3", "ray", "scipy")
# Not heavy, but each takes as long to import as the environment takes to make.
LATER = ("aiohttp", "asyncio", "pyarrow.compute", "pyarrow.dataset", "rich", "typer")
# Each layer may import only those before it (and its own).
LAYERS = (
    ("agents",),
    ("text", "terminal", "stopping", "ray_cluster", "cache"),
    ("tables",),
    ("importing",),
    ("observations",),
    ("rewards",),
    ("pools",),
    ("serving",),
    ("backends",),
    ("recording",),
    ("scenarios",),
    ("envs",),
    ("logs",),
    ("evaluation",),
    ("report",),
    ("cli",),
    ("__main__",),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
FILES = [
    path for path in sorted(PACKAGE.rglob("*.py")) if path.parts[len(PACKAGE.parts)] not in ("data", "__init__.py")
]


@pytest.mark.parametrize("module", ["llm_routing_env", "llm_routing_env.cli", "llm_routing_env.agents"])
def test_importing_loads_nothing_heavy(module: str):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_making_and_stepping_the_default_environment_loads_nothing_heavy():
    code = (
        "import sys, gymnasium as gym, llm_routing_env; env = gym.make('PickLLM-v0'); env.reset(seed=0); env.step(0);"
        f"print([name for name in {HEAVY + LATER} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_layers(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("llm_routing_env.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path):
    mine = layer_of(path)
    assert mine in RANK, f"{path} belongs to no layer: add it to LAYERS"
    for other in imported_layers(path):
        assert RANK[other] <= RANK[mine], f"{path.name} ({mine}) imports {other}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "agents").rglob("*.py")), ids=lambda path: path.name)
def test_agents_import_numpy_and_agents_only(path: Path):
    assert imported_layers(path) <= {"agents"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            root = node.module.split(".")[0]
            assert root in {"llm_routing_env", "numpy", "__future__", *sys.stdlib_module_names}


@pytest.mark.skipif(not (PACKAGE.parent / "agents").exists(), reason="of a clone")
def test_the_top_level_name_agents_is_refused():
    done = subprocess.run(
        [sys.executable, "-c", "import agents"], capture_output=True, text=True, cwd=PACKAGE.parent, check=False
    )
    assert "llm_routing_env.agents" in done.stderr
