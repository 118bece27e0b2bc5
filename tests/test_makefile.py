"""The Makefile: what its targets run, where running it all would take minutes."""

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"


def would_run(folder: Path, target: str) -> list[str]:
    """Return the commands of a target in a folder in which everything is installed already."""
    (folder / ".venv").mkdir(exist_ok=True)
    (folder / "pyproject.toml").touch()
    (folder / ".venv" / ".core").touch()
    command = ["make", "--dry-run", "--no-print-directory", "--file", str(MAKEFILE), target]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout.splitlines()


@pytest.mark.skipif(not (shutil.which("make") and MAKEFILE.exists()), reason="needs make, and a clone")
def test_an_interrupted_comparison_goes_on(tmp_path: Path):
    command = ".venv/bin/pickllm compare --out results/compare"
    assert would_run(tmp_path, "compare")[-1].strip() == command
    (tmp_path / "results" / "compare" / "blocks").mkdir(parents=True)
    assert would_run(tmp_path, "compare")[-1].strip() == f"{command} --resume"
