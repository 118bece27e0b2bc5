"""Query sets: JSON lines, ids, splits."""

from pathlib import Path

import pytest

from llm_routing_env.tables.queries import Query, QuerySet, split_of

TWO = QuerySet(
    [Query("a", "math", "train", "1 + 1?", ("2", "It is 2.")), Query("b", "art", "test", "Who?", ("Dürer",))]
)


def test_writing_and_reading_gives_the_same_queries(tmp_path: Path):
    TWO.write(tmp_path / "q.jsonl")
    again = QuerySet.read(tmp_path / "q.jsonl")
    assert list(again) == list(TWO)
    assert again.sha256 == TWO.sha256
    assert again.contexts == ("art", "math")


def test_the_hash_depends_on_content_and_order():
    assert QuerySet(reversed(list(TWO))).sha256 != TWO.sha256


def test_a_missing_split_is_assigned_by_a_hash_of_the_prompt(tmp_path: Path):
    path = tmp_path / "q.jsonl"
    line = '{"query_id": "%s", "context": "c", "prompt": "%s", "references": ["r"]}\n'
    path.write_text(
        "".join(line % (f"q{number}", "Who is it?") for number in range(20)) + line % ("q", " who  is IT? ")
    )
    assert {query.split for query in QuerySet.read(path)} == {split_of("Who is it?")}


def test_prompts_in_both_splits_are_counted():
    asked = [Query("c", "art", "train", " 1 + 1? ", ("2",)), Query("d", "art", "test", "1 +  1?", ("2",))]
    assert TWO.n_prompts_in_both_splits == 0
    assert QuerySet([*TWO, *asked]).n_prompts_in_both_splits == 1


def test_hashed_splits_have_the_share_asked_for():
    train = sum(split_of(f"query-{i}") == "train" for i in range(5_000))
    assert 1_850 < train < 2_150  # 0.4 of 5000, within 4.3 standard deviations


def test_a_slice_is_a_query_set():
    assert isinstance(TWO[:1], QuerySet)
    assert len(TWO[:1]) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 1: expected one JSON object"),
        ("[1]", "expected a JSON object"),
        ('{"query_id": "a", "context": "c", "references": ["r"]}', "'prompt' must be a string"),
        ('{"query_id": "a", "context": "c", "prompt": "p", "references": "r"}', "'references' must be a list of str"),
        (
            '{"query_id": "a", "context": "c", "prompt": "p", "references": [null]}',
            "'references' must be a list of str",
        ),
        ('{"query_id": "a", "context": "c", "messages": []}', "'messages' is not read: a list of messages is the 'pro"),
        ('{"query_id": "a", "context": "c", "split": "dev", "prompt": "p", "references": ["r"]}', "split is 'dev'"),
        ('{"query_id": "a", "context": "c", "prompt": "\\ud800", "references": ["r"]}', "'prompt' must be a string"),
        (
            '{"query_id": "a", "context": "all", "prompt": "p", "references": ["r"]}',
            "line 1: rename the context: 'all' st",
        ),
        ('{"query_id": "a", "context": "\\u001b[2J", "prompt": "p", "references": ["r"]}', "no control characters"),
        ("1" * 5_000, "line 1: expected one JSON object"),
        ("[" * 100_000, "line 1: expected one JSON object"),
    ],
)
def test_a_malformed_line_is_refused(tmp_path: Path, line: str, message: str):
    path = tmp_path / "q.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match=message):
        QuerySet.read(path)


def test_duplicate_ids_are_refused():
    with pytest.raises(ValueError, match="'a' occurs twice"):
        QuerySet([TWO[0], TWO[0]])


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path):
    path = tmp_path / "q.jsonl"
    TWO.write(path)
    path.write_bytes(path.read_bytes() + b"\xff\n")
    with pytest.raises(ValueError, match="line 3: expected one JSON object"):
        QuerySet.read(path)


def test_blank_lines_are_skipped_and_lines_are_counted_with_them(tmp_path: Path):
    line = '{"query_id": "%s", "context": "c", "split": "test", "prompt": "p", "references": ["r"]}\n'
    path = tmp_path / "q.jsonl"
    path.write_text(line % "a" + "\n  \n" + line % "b")
    assert [query.query_id for query in QuerySet.read(path)] == ["a", "b"]
    path.write_text(line % "a" + "\n[]\n")
    with pytest.raises(ValueError, match="line 3: expected a JSON object"):
        QuerySet.read(path)


def test_a_byte_order_mark_is_skipped(tmp_path: Path):
    path = tmp_path / "q.jsonl"
    TWO.write(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert list(QuerySet.read(path)) == list(TWO)


@pytest.mark.parametrize("references", ["", ', "references": []', ', "references": null'])
def test_a_query_may_have_no_reference(tmp_path: Path, references: str):
    path = tmp_path / "q.jsonl"
    path.write_text('{"query_id": "a", "context": "c", "prompt": "p"' + references + "}")
    (query,) = QuerySet.read(path)
    assert query.references == ()
    QuerySet([query]).write(path)
    assert list(QuerySet.read(path)) == [query]
