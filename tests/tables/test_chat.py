"""Chats as prompts: what is read from a query file, what an LLM is sent, and what a table keeps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import random_table, records

from llm_routing_env.tables.queries import Query, QuerySet, split_of
from llm_routing_env.tables.table import OutcomeTable

SYSTEM, FIRST, ANSWER, LAST = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who painted it?"},
    {"role": "assistant", "content": "Dürer."},
    {"role": "user", "content": "When?"},
)
CHAT = (("system", "Be brief."), ("user", "Who painted it?"), ("assistant", "Dürer."), ("user", "When?"))


def line(prompt: Any, **more: Any) -> str:
    return json.dumps({"query_id": "a", "context": "art", "prompt": prompt, "references": ["1514"]} | more) + "\n"


def read(tmp_path: Path, prompt: Any) -> Query:
    (tmp_path / "q.jsonl").write_text(line(prompt))
    (query,) = QuerySet.read(tmp_path / "q.jsonl")
    return query


def test_the_last_user_message_is_the_prompt_and_all_are_sent(tmp_path: Path):
    query = read(tmp_path, [SYSTEM, FIRST, ANSWER, LAST])
    assert (query.prompt, query.messages, query.split) == ("When?", CHAT, split_of("When?"))
    assert query.chat() == [SYSTEM, FIRST, ANSWER, LAST]


def test_one_user_message_is_a_prompt_like_any_other(tmp_path: Path):
    assert read(tmp_path, [LAST]) == read(tmp_path, "When?")
    assert read(tmp_path, "When?").chat() == [LAST]


def test_a_tool_may_have_the_last_word(tmp_path: Path):
    query = read(tmp_path, [FIRST, {"role": "tool", "content": "no result"}])
    assert (query.prompt, query.messages[-1]) == ("Who painted it?", ("tool", "no result"))


def test_text_parts_are_joined(tmp_path: Path):
    parts = [{"type": "text", "text": "Who "}, {"type": "text", "text": "is it?"}]
    assert read(tmp_path, [{"role": "user", "content": parts}]).prompt == "Who is it?"


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([], "key 'prompt': expected a list of messages"),
        (["When?"], "message 1: expected an object with role and content, got 'When"),
        ([SYSTEM], r"expected a message of the role 'user', got \['system'\]"),
        ([LAST, {"role": "human", "content": "x"}], "message 2: role must be one of system, developer, user"),
        ([LAST, {"role": {}, "content": "x"}], "message 2: role must be one of"),
        ([{"role": "user", "content": " "}], "message 1: content must be a text, not empty, got ' '"),
        ([{"role": "user", "content": []}], "message 1: content must be a text, not empty"),
        ([{"role": "user"}], "message 1: content must be a text, not empty, got None"),
        ([LAST, {"role": "assistant", "content": None, "tool_calls": [{}]}], "role and content only, got 'tool_calls'"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "content must be a text or parts of type 'text'"),
        ([{"role": "user", "content": "\ud800"}], "message 1: content must be a text"),
        ({"role": "user"}, "key 'prompt' must be a string or a list of messages, got"),
    ],
)
def test_what_is_no_chat_is_refused_in_one_line(tmp_path: Path, prompt: Any, message: str):
    with pytest.raises(ValueError, match=message) as refusal:
        read(tmp_path, prompt)
    assert "q.jsonl, line 1" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_writing_and_reading_gives_the_same_chats_and_hash(tmp_path: Path):
    chats = QuerySet([Query("a", "art", "test", "When?", ("1514",), CHAT), Query("b", "art", "test", "Why?", ())])
    chats.write(tmp_path / "q.jsonl")
    again = QuerySet.read(tmp_path / "q.jsonl")
    assert list(again) == list(chats)
    assert again.sha256 == chats.sha256
    assert again.sha256 != QuerySet([Query("a", "art", "test", "When?", ("1514",)), chats[1]]).sha256


def test_a_prompt_that_is_not_the_last_user_message_is_refused():
    with pytest.raises(ValueError, match="Query 'a': its prompt must be the last user message"):
        QuerySet([Query("a", "art", "test", "Why?", (), CHAT)])


def table_of(messages: tuple[tuple[str, str], ...] = CHAT) -> OutcomeTable:
    """Return a table of a chat, a plain question and another plain one."""
    asked = QuerySet(
        [
            Query("a", "art", "train", "When?", ("answer 0",), messages),
            Query("b", "art", "test", "Why?", ("answer 0",)),
            Query("c", "art", "test", "Who?", ("answer 1",)),
        ]
    )
    return OutcomeTable.from_records(asked, ["x", "y"], records(asked, ["x", "y"], 1.0, 1e-5, np.full(2, 0.1)), {})


def test_a_table_keeps_chats_through_files_and_parts(tmp_path: Path):
    table = table_of()
    table.write(tmp_path / "t.parquet")
    for found in (table, OutcomeTable.read(tmp_path / "t.parquet"), table.with_metadata({"notes": []})):
        assert [query.messages for query in found.queries] == [CHAT, (), ()]
        assert found.queries.sha256 == table.queries.sha256
    OutcomeTable.read(tmp_path / "t.parquet").resplit(np.array([0, 2]), np.ones(2, dtype=bool)).write(
        tmp_path / "part.parquet"
    )
    part = OutcomeTable.read(tmp_path / "part.parquet")
    assert [query.messages for query in part.queries] == [CHAT, ()]
    rest = table_of(()).resplit(np.array([1]), np.zeros(1, dtype=bool))
    both = OutcomeTable.concatenate([table.resplit(np.array([0, 2]), np.ones(2, dtype=bool)), rest], {})
    assert [query.messages for query in both.queries] == [CHAT, (), ()]


def test_a_table_without_chats_has_no_column_of_them(tmp_path: Path):
    table_of(()).write(tmp_path / "t.parquet")
    assert "messages" not in pq.read_schema(tmp_path / "t.parquet").names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected messages as JSON"),
        ("[1]", "message 1: expected an object"),
        (json.dumps([SYSTEM, FIRST]), "the last user message is not the prompt, 'art question 0\\?'"),
    ],
)
def test_a_table_whose_messages_are_no_chat_is_refused_when_they_are_read(tmp_path: Path, text: str, message: str):
    rows = random_table(per_context=4)._all_rows()
    pq.write_table(rows.append_column("messages", pa.array([text] * len(rows))), tmp_path / "t.parquet")
    table = OutcomeTable.read(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=rf"t\.parquet, row 0 \(query 'art-0'\): column 'messages': {message}"):
        table.queries[0]


def test_messages_must_be_text(tmp_path: Path):
    rows = random_table(per_context=4)._all_rows()
    pq.write_table(rows.append_column("messages", pa.array([1] * len(rows))), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="column 'messages' must be text, is int64"):
        OutcomeTable.read(tmp_path / "t.parquet")
