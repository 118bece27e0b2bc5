"""Query files that are damaged or odd."""

import json

from mutations import damaged, fuzz, odd, read_or_refuse

from llm_routing_env.tables.queries import QuerySet

RECORD = {"query_id": "q", "context": "art", "split": "test", "prompt": "Who painted it?", "references": ["Dürer", "A"]}
PARTS = [{"type": "text", "text": "Who "}, {"type": "text", "text": "is it?"}]
CHAT = RECORD | {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PARTS}]}
LINES = b"".join(json.dumps(RECORD | {"query_id": f"q{n}"}).encode() + b"\n" for n in range(3))


def read(path, content):
    path.write_bytes(content)
    queries = read_or_refuse(lambda: QuerySet.read(path))
    if queries is not None:
        queries.write(path)  # what was read can be written, and says the same again
        assert list(QuerySet.read(path)) == list(queries)


def test_damaged_query_files_are_read_or_refused(tmp_path):
    def check(seed):
        content = damaged(LINES, seed)
        read(tmp_path / "queries.jsonl", content)

    fuzz(check)


def test_odd_queries_are_read_or_refused(tmp_path):
    def check(seed):
        record = odd(CHAT if seed % 2 else RECORD, seed)
        read(tmp_path / "queries.jsonl", json.dumps(record).encode() + b"\n" + LINES)

    fuzz(check)
