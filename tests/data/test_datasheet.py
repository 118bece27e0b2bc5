"""docs/datasheet-nano.md: its figures are what its program prints."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "datasheet-nano.md"


@pytest.mark.skipif(not PAGE.exists(), reason="needs a clone")
def test_the_figures_are_what_the_program_prints():
    program, printed = re.search(
        r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    ).groups()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == printed
