"""docs/datasheet-*.md: their figures are what their programs print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from llm_routing_env.tables.shipped import shipped_tables

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.skipif(not DOCS.exists(), reason="needs a clone")
@pytest.mark.parametrize("name", shipped_tables())
def test_the_figures_are_what_the_program_prints(name: str):
    page = (DOCS / f"datasheet-{name}.md").read_text(encoding="utf-8")
    program, printed = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", page, re.DOTALL).groups()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == printed
