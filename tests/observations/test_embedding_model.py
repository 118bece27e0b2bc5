"""A sentence-transformers model that is not here: it is fetched, or there is one line at once."""

from pathlib import Path

import pytest

from llm_routing_env.observations.embedding_model import load_encoder


def test_without_a_network_there_is_one_line_and_nobody_waits_for_retries(monkeypatch: pytest.MonkeyPatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    pytest.importorskip("sentence_transformers")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")  # nobody listens: the Hub's client would retry
    asked = []

    def fetched(name: str, **options: bool | str) -> None:
        asked.append((name, options.get("local_files_only", False)))
        raise OSError("no such model")

    monkeypatch.setattr("sentence_transformers.SentenceTransformer", fetched)
    with pytest.raises(
        OSError, match=r"^The model someone/model is not here and cannot be fetched \(.*\): give a folder"
    ):
        load_encoder("someone/model")
    assert asked == [("someone/model", True)]


def test_a_folder_that_is_no_model_is_said_to_be_one_whose_contents_cannot_be_read(tmp_path: Path):
    pytest.importorskip("sentence_transformers")
    (tmp_path / "modules.json").write_text("[]]")
    with pytest.raises(OSError, match=rf"^The model in {tmp_path} cannot be read: .*Extra data"):
        load_encoder(str(tmp_path))
