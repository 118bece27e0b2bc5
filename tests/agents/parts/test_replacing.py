"""Files are replaced whole, whatever lies in the way."""

import os
from pathlib import Path

import pytest

from llm_routing_env.agents.parts.replacing import replacing


def write(path: Path, text: str = "new") -> None:
    with replacing(path) as new:
        new.write_text(text)


def interrupted(path: Path) -> None:
    with replacing(path) as new:
        new.write_text("half")
        assert path.read_text() == "old"
        raise KeyboardInterrupt


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_made_and_replaced(tmp_path: Path):
    out = tmp_path / "out.txt"
    for text in ("first", "second"):
        write(out, text)
        assert out.read_text() == text
    assert names(tmp_path) == ["out.txt"]


def test_until_the_end_the_old_file_is_there_and_after_an_error_still(tmp_path: Path):
    out = tmp_path / "out.txt"
    out.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        interrupted(out)
    assert out.read_text() == "old"
    assert names(tmp_path) == ["out.txt"]


def test_a_link_under_a_foreseeable_name_leads_nowhere(tmp_path: Path):
    (tmp_path / "victim.txt").write_text("precious")
    (tmp_path / "out.txt.partial").symlink_to("victim.txt")
    write(tmp_path / "out.txt")
    assert (tmp_path / "victim.txt").read_text() == "precious"
    assert (tmp_path / "out.txt").read_text() == "new"


def test_no_two_new_files_have_one_name(tmp_path: Path):
    with replacing(tmp_path / "out") as one, replacing(tmp_path / "out") as other:
        assert one != other
        assert one.parent == other.parent == tmp_path


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path, exists: bool):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "target.txt"
    if exists:
        target.write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert names(tmp_path / "elsewhere") == ["target.txt"]


def test_who_may_read_it_is_as_for_any_file_and_stays(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "out.txt")
    finally:
        os.umask(before)
    assert (tmp_path / "out.txt").stat().st_mode & 0o777 == 0o640
    (tmp_path / "out.txt").chmod(0o604)
    write(tmp_path / "out.txt")
    assert (tmp_path / "out.txt").stat().st_mode & 0o777 == 0o604


def test_what_is_no_file_is_not_replaced(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileExistsError, match="folder cannot be written"):
        write(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="pipe cannot be written"):
        write(tmp_path / "pipe")
    assert names(tmp_path) == ["folder", "pipe"]


def test_a_long_name_is_no_hindrance(tmp_path: Path):
    write(tmp_path / ("ü" * 127))
    assert names(tmp_path) == ["ü" * 127]
