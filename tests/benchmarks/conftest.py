"""Scripts of `benchmarks/`, imported by name; what they write goes to a folder of the test."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Return what imports a script by name; its results go to a folder of the test."""
    monkeypatch.syspath_prepend(BENCHMARKS / "published")
    monkeypatch.syspath_prepend(BENCHMARKS)
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    monkeypatch.setattr(load("results_file"), "FOLDER", tmp_path)
    yield load
    for name in set(sys.modules) - before:
        if BENCHMARKS in Path(getattr(sys.modules[name], "__file__", None) or "/").parents:
            del sys.modules[name]
