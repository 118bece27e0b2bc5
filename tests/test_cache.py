"""Folders of a user's disk that cannot be made: the message says what moves them."""

from pathlib import Path

import pytest

from llm_routing_env.cache import CACHE_DIR_VARIABLE, cache_dir
from llm_routing_env.pools.pool import load_pool
from llm_routing_env.serving.endpoints import STATE_DIR_VARIABLE, claim


def test_a_cache_that_cannot_be_made_says_what_moves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(OSError, match=rf"cannot be made \(.*\): set \${CACHE_DIR_VARIABLE} to a folder that can"):
        cache_dir("tables")
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "folder"))
    assert cache_dir("tables").is_dir()


def test_so_does_the_state_of_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(OSError, match=rf"set \${STATE_DIR_VARIABLE}"), claim(load_pool("nano"), None):
        pass
