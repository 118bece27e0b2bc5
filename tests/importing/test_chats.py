"""Importing prompts that are lists of chat messages."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from imports import imported

from llm_routing_env.tables.table import OutcomeTable

SYSTEM = {"role": "system", "content": "Be brief."}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


CHAT = [SYSTEM, user("What is 0+1?")]
PROMPTS: list[Any] = [CHAT, [user("Why?")], "Who?", ["Where", "to?"]]


def rows(prompts: list[Any]) -> list[dict[str, Any]]:
    """Return a row for each prompt and each of two LLMs."""
    asked = [(f"q{number}", prompt) for number, prompt in enumerate(prompts)]
    cells = {"context": "art", "accuracy": 1.0, "cost_usd": 1e-4, "latency_s": 0.2}
    return [{"query_id": q, "prompt": prompt, "llm": llm, **cells} for q, prompt in asked for llm in ("a", "b")]


def save(path: Path, content: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(content), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def read(path: Path, **options: Any) -> OutcomeTable:
    return imported(path, **options).table


def test_the_last_user_message_is_the_prompt_and_all_messages_are_kept(tmp_path: Path):
    table = read(save(tmp_path / "in.jsonl", rows(PROMPTS)))
    assert [query.prompt for query in table.queries] == ["What is 0+1?", "Why?", "Who?", "Where\nto?"]
    chats = [(("system", "Be brief."), ("user", "What is 0+1?")), (), (), ()]
    assert [query.messages for query in table.queries] == chats
    table.write(tmp_path / "out.parquet")
    assert [query.messages for query in OutcomeTable.read(tmp_path / "out.parquet").queries] == chats


def test_lists_of_structs_in_parquet_are_chats_too(tmp_path: Path):
    table = read(save(tmp_path / "in.parquet", rows([CHAT, [SYSTEM, user("Why?")]])))
    assert [query.chat() for query in table.queries] == [CHAT, [SYSTEM, user("Why?")]]


def test_chats_may_come_after_batches_without_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("llm_routing_env.importing.json_rows._BATCH_OBJECTS", 3)
    table = read(save(tmp_path / "in.jsonl", rows(["Who?", "Why?", CHAT, "Where?"])))
    assert [len(query.messages) for query in table.queries] == [0, 0, 2, 0]


def test_single_user_messages_leave_no_column(tmp_path: Path):
    read(save(tmp_path / "in.jsonl", rows([[user("Why?")]]))).write(tmp_path / "out.parquet")
    assert "messages" not in pq.read_schema(tmp_path / "out.parquet").names


def test_what_is_no_chat_is_refused_with_its_row_and_the_flag_that_helps(tmp_path: Path):
    path = save(tmp_path / "in.jsonl", rows(["Who?", [SYSTEM]]))
    with pytest.raises(
        ValueError,
        match=r"row 2, column 'prompt': expected a list of chat messages \(expected a message of the role ",
    ) as refusal:
        read(path)
    assert str(refusal.value).endswith("--prompt-column names another column.")


def test_rows_of_a_query_that_disagree_on_what_came_before_are_refused(tmp_path: Path):
    content = rows([CHAT])
    content[1]["prompt"] = [{"role": "system", "content": "Take your time."}, CHAT[1]]
    with pytest.raises(ValueError, match=r"row 1, column 'prompt': expected .*Be brief.* as in row 0 of the same"):
        read(save(tmp_path / "in.jsonl", content))
