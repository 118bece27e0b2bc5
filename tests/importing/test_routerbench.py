"""Importing RouterBench's wide form."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from imports import imported

from llm_routing_env.tables.table import OutcomeTable

LLMS = ("gpt-3.5-turbo-1106", "WizardLM/WizardLM-13B-V1.2")


def wide(**cells: Any) -> list[dict[str, Any]]:
    """Return two queries on two LLMs; `cells` replace cells of the second query."""
    content = []
    for number, name in enumerate(("mmlu.val.1", "mbpp.dev.2")):
        row: dict[str, Any] = {"sample_id": name, "prompt": f"['ask {number}\\nplease']", "eval_name": name[:4]}
        for position, llm in enumerate(LLMS):
            row |= {llm: (number + position) % 2 * 1.0, f"{llm}|total_cost": 0.001 * (1 + number + 10 * position)}
            row |= {f"{llm}|model_response": f"['say {position}']" if number else f"say [{position}]"}
        content.append(row | {"oracle_model_to_route_to": LLMS[0]})
    content[1] |= cells
    return content


def save(folder: Path, content: list[dict[str, Any]], suffix: str = ".jsonl") -> Path:
    path = folder / f"wide{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(content), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return path


def read(
    path: Path, names: dict[str, str] | None = None, excluded: tuple[str, ...] = (), **options: Any
) -> OutcomeTable:
    return imported(path, names, preset="routerbench", excluded=excluded, **options).table


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_the_wide_form_becomes_a_grid(tmp_path: Path, suffix: str):
    table = read(save(tmp_path, wide(), suffix))
    assert table.llm_names == LLMS
    assert [query.query_id for query in table.queries] == ["mmlu.val.1", "mbpp.dev.2"]
    assert [query.context for query in table.queries] == ["mmlu", "mbpp"]
    np.testing.assert_array_equal(table.accuracy("recorded")[:, :, 0], [[0, 1], [1, 0]])
    np.testing.assert_allclose(table.cost_usd[:, :, 0], [[0.001, 0.011], [0.002, 0.012]])
    assert table.notes == ("The table records no latency.",)


def test_printed_lists_are_unwrapped_and_other_texts_kept(tmp_path: Path):
    table = read(save(tmp_path, wide()))
    assert table.queries[0].prompt == "ask 0\nplease"
    assert [table.text("response", query, 1, 0) for query in (0, 1)] == ["say [1]", "say 1"]
    for text in ("[1, 2]", "[unclosed", "[__import__('os')]", "['\\ud800']"):
        assert read(save(tmp_path, wide(prompt=text))).queries[1].prompt == text


def test_a_pair_without_a_score_is_missing_or_its_query_dropped(tmp_path: Path):
    path = save(tmp_path, wide(**{LLMS[1]: None}))
    assert read(path).present.tolist() == [[True, True], [True, False]]
    assert [query.query_id for query in read(path, drop_incomplete=True).queries] == ["mmlu.val.1"]
    assert read(path, excluded=(LLMS[1],)).llm_names == LLMS[:1]


def test_one_score_a_row_is_a_log_and_no_table(tmp_path: Path):
    content = wide(**{LLMS[1]: None})
    content[0][LLMS[0]] = None
    with pytest.raises(ValueError, match=r"this is a log, not a table\. `pickllm import-log` reads logs"):
        read(save(tmp_path, content))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({LLMS[0]: 7}, f"row 1, column '{LLMS[0]}': expected a number in .0, 1., found 7.0; --score-range"),
        ({LLMS[0]: "x"}, "expected a number, found 'x'; --score-map .*, or --exclude-llm"),
        ({f"{LLMS[0]}|total_cost": -1}, "total_cost': expected a finite number"),
        ({"sample_id": "mmlu.val.1", "eval_name": "mmlu", "prompt": "['ask 0\\nplease']"}, "row 1: expected one row"),
        ({"eval_name": None}, "row 1, column 'eval_name': expected a text"),
    ],
)
def test_a_cell_that_does_not_fit_is_refused(tmp_path: Path, cells: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        read(save(tmp_path, wide(**cells)))


def test_a_file_of_another_form_is_refused(tmp_path: Path):
    plain = [{"sample_id": "q", "prompt": "p", "eval_name": "e", "score": 1.0}]
    with pytest.raises(ValueError, match=r"expected columns like '<llm>\|model_response'.*--llms"):
        read(save(tmp_path, plain))
    with pytest.raises(ValueError, match=r"Unknown column 'sample_id'.*--query-column"):
        read(save(tmp_path, [{"prompt": "p"}]))
    lacking = [{key: value for key, value in row.items() if key != LLMS[1]} for row in wide()]
    with pytest.raises(ValueError, match=r"expected a column 'Wizard.*--exclude-llm 'Wizard"):
        read(save(tmp_path, lacking))
