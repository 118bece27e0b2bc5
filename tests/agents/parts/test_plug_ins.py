"""Where a plug-in may lie, and that its folder is searched for it only."""

import sys
from pathlib import Path

import pytest

from llm_routing_env.agents.parts.plug_ins import found_in, load, plug_in_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    package = tmp_path / "their_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "first.py").write_text("import their_neighbour\nVALUE = their_neighbour.VALUE\n")
    (package / "second.py").write_text("import their_other_neighbour\nVALUE = 2\n")
    (package / "broken.py").write_text("import sys\nsys.path.insert(0, 'kept')\nraise ImportError('broken')\n")
    (tmp_path / "their_neighbour.py").write_text("VALUE = 1\n")
    (tmp_path / "their_other_neighbour.py").write_text("")
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield str(tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_plug_in_and_its_neighbours_come_from_the_folder_which_is_gone_afterwards(folder: str):
    path = list(sys.path)
    with found_in(folder):
        assert plug_in_folder() == folder
        assert load("agent", "their_package.first:VALUE") == 1
        assert load("agent", "their_package.second:VALUE") == 2
        assert sys.path == path
    assert plug_in_folder() is None
    with pytest.raises(ValueError, match="Cannot load agent 'their_other:VALUE'"):
        load("agent", "their_other:VALUE")


def test_without_a_folder_there_is_none(folder: str):
    with found_in(None), pytest.raises(ValueError, match="No module named 'their_package'"):
        load("agent", "their_package.first:VALUE")


def test_a_plug_in_that_fails_leaves_the_path_as_it_made_it(folder: str):
    path = list(sys.path)
    with found_in(folder), pytest.raises(ValueError, match="broken"):
        load("agent", "their_package.broken:VALUE")
    assert sys.path == ["kept", *path]


def test_what_is_installed_is_imported_without_the_folder(folder: str):
    Path(folder, "colorsys.py").write_text("raise RuntimeError('this one is not the installed one')\n")
    sys.modules.pop("colorsys", None)
    seen: list[list[str]] = []

    class Looks:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            seen.append(list(sys.path))

    sys.meta_path.insert(0, Looks)
    try:
        with found_in(folder):
            load("agent", "colorsys:rgb_to_hsv")
    finally:
        sys.meta_path.remove(Looks)
    assert seen
    assert all(folder not in path for path in seen)


def test_a_folder_that_is_on_the_path_anyhow_stays_there(folder: str):
    sys.path.insert(0, folder)
    with found_in(folder):
        assert load("agent", "their_package.first:VALUE") == 1
    assert sys.path[0] == folder


def test_whatever_is_wrong_with_somebodys_file_is_one_line(tmp_path: Path):
    (tmp_path / "broken_at_once.py").write_text("1 / 0\n")
    (tmp_path / "fine_file.py").write_text("A = 1\n")
    with found_in(str(tmp_path)):
        with pytest.raises(ValueError, match="'broken_at_once:A': ZeroDivisionError: division by zero"):
            load("agent", "broken_at_once:A")
        with pytest.raises(ValueError, match=r"Without \.py: fine_file:A"):
            load("agent", "fine_file.py:A")
    with pytest.raises(ValueError, match=r"No module named 'no_such_library'\. Is no_such_library installed"):
        load("agent", "no_such_library:A")
