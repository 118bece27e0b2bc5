"""The examples of libraries that the tests have anyway; `make examples` runs all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.pages
@pytest.mark.parametrize("name", ["sb3", "cleanrl_dqn"])
def test_an_example_earns_more_than_chance(name: str):
    done = subprocess.run(
        [sys.executable, f"{name}.py"],
        cwd=EXAMPLES,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    earned = json.loads(done.stdout.splitlines()[-1])
    assert earned["reward"] > 2 * earned["random"] > 0
