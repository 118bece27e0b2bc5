"""The Makefile: what its targets run, where running it all would take minutes."""

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"


def would_run(folder: Path, *targets: str) -> list[str]:
    """Return the commands of targets, or settings, in a folder in which the core is installed already."""
    (folder / ".venv").mkdir(exist_ok=True)
    (folder / "pyproject.toml").touch()
    (folder / ".venv" / ".core").touch()
    command = ["make", "--dry-run", "--no-print-directory", "--file", str(MAKEFILE), *targets]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout.splitlines()


pytestmark = pytest.mark.skipif(not (shutil.which("make") and MAKEFILE.exists()), reason="needs make, and a clone")


def test_an_interrupted_comparison_goes_on(tmp_path: Path):
    command = ".venv/bin/pickllm compare --out results/compare"
    assert would_run(tmp_path, "compare")[-1].strip() == command
    (tmp_path / "results" / "compare" / "blocks").mkdir(parents=True)
    assert would_run(tmp_path, "compare")[-1].strip() == f"{command} --resume"


def test_another_table_is_compared_by_name_or_path_with_results_of_its_own(tmp_path: Path):
    command = ".venv/bin/pickllm compare --out results/mine --table of/mine.parquet"
    assert would_run(tmp_path, "compare", "TABLE=of/mine.parquet")[-1].strip() == command


def test_the_table_that_needs_an_extra_has_it_installed_first_and_its_weights_given(tmp_path: Path):
    *before, last = would_run(tmp_path, "compare", "TABLE=production3")
    assert last.strip() == (
        ".venv/bin/pickllm compare --out results/production3 --table production3 --reward additive --weights 1,0.5,0"
    )
    assert any(command.endswith('--editable ".[production]"') for command in before)
    assert not any("production" in command for command in would_run(tmp_path, "compare"))


def test_the_everyday_table_is_made_by_one_command(tmp_path: Path):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    *before, build, describe = would_run(tmp_path, "everyday")
    assert any(command.endswith('--editable ".[everyday]"') for command in before)
    assert build.strip() == ".venv/bin/python -m llm_routing_env.data.everyday.build"
    assert describe.strip().startswith(".venv/bin/pickllm export croissant everyday envs_data/everyday/croissant.json ")
