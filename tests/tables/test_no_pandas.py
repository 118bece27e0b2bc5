"""pandas, where it is installed, takes longer to import than an environment to make: nothing on the way imports it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tables import random_table, write_random_table

# Arrow swallows an ImportError of pandas: what tells is that the import was tried.
STUB = "import pathlib\npathlib.Path(__file__).with_name('tried').touch()\nraise ImportError('a stub')\n"
MAKE = """
import sys, gymnasium as gym, llm_routing_env
env = gym.make("PickLLM-v0", table=sys.argv[1], observation="{}", info="full")
env.reset(seed=0)
for _ in range(3):
    env.step(0)
"""
OPEN = """
import sys
from llm_routing_env.tables.table import OutcomeTable
table = OutcomeTable.read(sys.argv[1])
table.queries[0], list(table.queries), table.notes, table.sha256, table.texts("response"), table.texts("error")
"""


def tries_pandas(folder: Path, program: str, *arguments: str) -> bool:
    (folder / "pandas").mkdir()
    (folder / "pandas" / "__init__.py").write_text(STUB)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", program, *arguments]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=True)
    return (folder / "pandas" / "tried").exists()


def test_the_stub_tells(tmp_path: Path):
    assert tries_pandas(tmp_path, "import pyarrow; pyarrow.array([1])")


@pytest.mark.parametrize("observation", ["none", "context", "features", "embedding", "embedding32"])
def test_making_and_stepping_does_not_import_it(tmp_path: Path, observation: str):
    assert not tries_pandas(tmp_path, MAKE.format(observation), str(write_random_table(tmp_path)))


def test_opening_and_reading_a_table_does_not_import_it(tmp_path: Path):
    table = random_table(per_context=4)
    table.write(tmp_path / "t.parquet")
    assert not tries_pandas(tmp_path, OPEN, str(tmp_path / "t.parquet"))
