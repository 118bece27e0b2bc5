"""The notebook of the docs: it was executed, shows the README's lines, and gives the same again."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "tour.ipynb"

pytestmark = pytest.mark.skipif(not NOTEBOOK.exists(), reason="needs a clone")


def cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def said(cell: Any) -> str:
    """Return what a cell printed and gave; a figure by its kind alone."""
    texts = [output.get("text") or [*output["data"], output["data"]["text/plain"]] for output in cell["outputs"]]
    return "".join("".join(map("".join, text)) for text in texts)


def test_it_was_executed_and_begins_as_the_readme():
    code = cells(json.loads(NOTEBOOK.read_text(encoding="utf-8")))
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(cell["outputs"] for cell in code[:1] + code[2:4])
    assert sum("image/png" in output.get("data", {}) for cell in code for output in cell["outputs"]) == 3
    assert f"```python\n{''.join(code[0]['source'])}\n```" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.pages
def test_it_gives_the_same_again():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    committed = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert [said(cell) for cell in cells(notebook)] == [said(cell) for cell in cells(committed)]
