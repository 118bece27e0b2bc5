"""Presets on a few rows in each tool's own layout; what must come out was worked out by hand from the tools' code."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imports import imported

from llm_routing_env.importing.presets import PRESETS
from llm_routing_env.tables.table import OutcomeTable

FILES = Path(__file__).parent / "files"
GONE = None  # the pair is missing


def read(tmp_path: Path, preset: str, *parts: str, **options: Any) -> OutcomeTable:
    """Return the table of a fixture; it is written elsewhere, so the files are linked."""
    link = tmp_path / "files"
    link.symlink_to(FILES / preset)
    files = [link.joinpath(part) for part in parts] or link
    return imported(files, preset=preset, out=tmp_path / "out.parquet", **options).table


def cells(table: OutcomeTable, values: np.ndarray, repeat: int = 0) -> dict[str, list[float | None]]:
    """Return numbers by query, LLM after LLM; `GONE` where there is none."""
    found = values[:, :, repeat].tolist()
    return {
        query: [GONE if np.isnan(cell) else cell for cell in row]
        for query, row in zip(table.query_ids, found, strict=True)
    }


def responses(table: OutcomeTable, repeat: int = 0) -> dict[str, list[str | None]]:
    return dict(zip(table.query_ids, table.texts("response")[:, :, repeat].tolist(), strict=True))


def test_every_preset_has_a_fixture_and_an_example():
    assert {path.name for path in FILES.iterdir()} == PRESETS.keys() - {"long"}
    assert all(f"Example: pickllm import {name} " in preset.help for name, preset in PRESETS.items())


def test_lm_eval_generation_with_two_filters(tmp_path: Path):
    with pytest.raises(ValueError, match=r"query 'tinyarith_cot/0', LLM 'acme/alpha-7b' again .*--where"):
        read(tmp_path, "lm-eval", patterns=("samples_tinyarith*",))
    (tmp_path / "files").unlink()
    table = read(tmp_path, "lm-eval", patterns=("samples_tinyarith*",), where={"filter": "strict-match"})
    assert table.llm_names == ("acme/alpha-7b", "other/beta-70b")
    assert table.contexts == ("tinyarith_cot",)
    names = [f"tinyarith_cot/{number}" for number in range(3)]
    assert cells(table, table.accuracy("recorded")) == dict(zip(names, [[1, 1], [0, 1], [0, 0]], strict=True))
    assert responses(table) == {
        names[0]: [" 6 * 4 = 24 pencils.\n#### 24", "Four boxes of six make 24 pencils.\n#### 24"],
        names[1]: [" She has 15 - 6 = 9 stamps left", "15 - 6 = 9\n#### 9"],
        names[2]: [" 3 + 11 = 14 riders.\n#### 14", ""],
    }
    assert table.queries[0].prompt == "A box holds 6 pencils. How many pencils are in 4 boxes?"
    assert not any("Tom has 2 hats" in query.prompt for query in table.queries)  # of the few-shot part
    flexible = imported(
        tmp_path / "files", preset="lm-eval", patterns=("samples_tinyarith*",), where={"filter": "flexible-extract"}
    )
    assert cells(flexible.table, flexible.table.accuracy("recorded"))[names[1]] == [1, 1]


def test_lm_eval_multiple_choice(tmp_path: Path):
    table = read(tmp_path, "lm-eval", names={"accuracy": "acc_norm"}, patterns=("samples_tinyfacts*",))
    names = [f"tinyfacts/{number}" for number in range(3)]
    assert cells(table, table.accuracy("recorded")) == dict(zip(names, [[1, 1], [1, 1], [0, 1]], strict=True))
    assert set(table.texts("response").ravel()) == {""}
    assert np.isnan(table.cost_usd).all()
    assert np.isnan(table.latency_s).all()


def test_lm_eval_of_two_tasks_at_once(tmp_path: Path):
    both = read(tmp_path, "lm-eval", keep="last")
    assert both.contexts == ("tinyarith_cot", "tinyfacts")
    assert both.n_queries == 6
    assert cells(both, both.accuracy("recorded"))["tinyfacts/1"] == [0, 1]


def test_helm(tmp_path: Path):
    table = read(tmp_path, "helm")
    assert sorted(table.llm_names) == ["acme/alpha-7b", "other/beta-70b"]
    assert table.llm_names[0] == "acme/alpha-7b"
    assert cells(table, table.accuracy("recorded")) == {
        "gsm/id11": [1, 1],
        "gsm/id12": [0, GONE],  # the call was blocked, and has no latency
        "mmlu anatomy/id11": [1, 1],
        "mmlu anatomy/id12": [0, 1],
    }
    assert cells(table, table.latency_s) == {
        "gsm/id11": [1.125, 2.5],
        "gsm/id12": [1.0625, GONE],
        "mmlu anatomy/id11": [0.31, 1.25],
        "mmlu anatomy/id12": [0.29, 1.5],
    }
    assert table.integers("prompt_tokens")[:, :, 0].tolist() == [[40, 42], [39, 0], [95, 98], [93, 96]]
    assert table.integers("completion_tokens")[:, :, 0].tolist() == [[14, 16], [14, 0], [1, 1], [1, 1]]
    assert [query.references for query in table.queries][2:] == [("Femur",), ("Liver",)]
    assert responses(table)["mmlu anatomy/id12"] == [" C", " B"]
    assert table.queries[2].prompt == "Which bone is in the thigh?"  # and not the misspelled copy's


def test_inspect_with_epochs_letters_and_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match=r"query 'tinyfacts_qa/f1', LLM 'acme/alpha-mini' again"):  # two scorers
        read(tmp_path, "inspect", patterns=("*tinyfacts*",))
    (tmp_path / "files").unlink()
    names = {"accuracy": "samples.*.scores.model_graded_qa.value", "cost_usd": "-"}
    table = read(tmp_path, "inspect", names=names, patterns=("*tinyfacts*",))
    assert table.llm_names == ("acme/alpha-mini", "other/beta-large")
    assert table.query_ids == ("tinyfacts_qa/f1", "tinyfacts_qa/2")
    assert table.n_repeats == 2
    assert table.queries[1].references == ("Mediterranean", "Mediterranean Sea")
    assert table.queries[1].messages == (
        ("system", "Answer in one word."),
        ("user", "Which sea lies between Europe and Africa?"),
    )
    assert cells(table, table.accuracy("recorded")) == {"tinyfacts_qa/f1": [1, 1], "tinyfacts_qa/2": [0, 1]}
    assert cells(table, table.accuracy("recorded"), 1) == {"tinyfacts_qa/f1": [0.5, 0], "tinyfacts_qa/2": [0, 1]}
    assert cells(table, table.latency_s, 1) == {"tinyfacts_qa/f1": [0.63, 0.95], "tinyfacts_qa/2": [0, 2.75]}
    assert np.argwhere(table.failed).tolist() == [[1, 0, 1]]


def test_inspect_with_numbers(tmp_path: Path):
    names = {"accuracy": "samples.*.scores.closeness.value"}
    table = read(tmp_path, "inspect", names=names, missing_cost_usd=0.0, patterns=("*tinyarith*",))
    assert cells(table, table.accuracy("recorded")) == {"tinyarith/f1": [1, 1], "tinyarith/f2": [0.25, 0.75]}
    assert cells(table, table.latency_s) == {"tinyarith/f1": [0.4, 0.9], "tinyarith/f2": [0.45, 1.05]}
    assert cells(table, table.cost_usd) == {"tinyarith/f1": [0, 0.0002], "tinyarith/f2": [0, 0.0002]}
    assert responses(table) == {"tinyarith/f1": ["17", "The sum is 17"], "tinyarith/f2": ["6.5", "7.1"]}
    assert table.integers("prompt_tokens")[:, :, 0].tolist() == [[18, 18], [19, 19]]


def test_routerarena(tmp_path: Path):
    table = read(tmp_path, "routerarena", "cached_results", keep="last")
    assert table.llm_names == ("acme/alpha-7b", "other/beta-70b")
    assert set(table.contexts) == {"TinyFacts", "TinyMath"}
    assert cells(table, table.accuracy("recorded")) == {
        "TinyMath_1": [1, GONE],  # not graded is not wrong
        "TinyMath_2": [0, 1],  # failed; asked again
        "TinyFacts_1": [1, 0],
        "TinyFacts_2": [0, 1],
    }
    costs = cells(table, table.cost_usd)
    assert costs["TinyFacts_2"] == [0.000019, 0.00046]
    assert costs["TinyMath_2"] == [0, 0.00042]
    assert table.text("error", table.query_ids.index("TinyMath_2"), 0, 0) == "Error code: 529 - overloaded"
    assert dict(zip(table.query_ids, (query.references for query in table.queries), strict=True))["TinyMath_2"] == (
        "49",
    )


def test_alpaca_eval_reads_the_preference_and_not_the_annotators_price(tmp_path: Path):
    table = read(tmp_path, "alpaca-eval")
    assert table.llm_names == ("alpha-7b", "beta-70b")
    assert cells(table, table.accuracy("recorded")) == {
        "Name two fruits that are red.": [1, 0.8125],
        "How do I fold a paper boat?": [0, 0.9375],
        "Write a haiku about rain.": [0.5, 0.25],
    }
    assert table.notes[-1].startswith("1 of the file's 4 queries left out")  # judged for neither
    scales = "Scores are on several scales: annotator is alpaca_eval_gpt4, weighted_alpaca_eval_gpt4_turbo."
    assert table.notes[-2].startswith(scales)
    assert table.contexts == ("helpful_toy", "selfish_toy")
    assert np.isnan(table.cost_usd).all()
    assert np.isnan(table.latency_s).all()


def test_routerbench(tmp_path: Path):
    table = read(tmp_path, "routerbench")
    large, small = table.llm_names.index("beta-large-2024"), table.llm_names.index("acme/alpha-7b-chat")
    scores = {name: [row[small], row[large]] for name, row in cells(table, table.accuracy("recorded")).items()}
    assert scores == {
        "toy-anatomy.val.3": [1, 1],
        "toy-anatomy.val.8": [0, 1],
        "toy-math.dev.17": [0, 0],
        "toy-math.dev.40": [1, 0],
        "toy-twoturn.dev.2": [0.6, 0.9],
    }
    said = {name: [row[small], row[large]] for name, row in responses(table).items()}
    assert said["toy-math.dev.40"] == ['It\'s "nine",\nas asked.', ""]
    assert said["toy-twoturn.dev.2"] == ["21\n42, I think", "23\n46"]
    assert table.queries[2].prompt == "You are a terse calculator.\nWhat is 17 * 23?"
    assert table.cost_usd[1, large, 0] == pytest.approx(0.000304)


def test_openai_batch_joins_requests_and_reads_both_kinds_of_errors(tmp_path: Path):
    table = read(
        tmp_path, "openai-batch", score=lambda answers, references: np.ones(len(answers)), about={"context": "toy"}
    )
    assert table.llm_names == ("gpt-toy-nano", "gpt-toy-large")
    errors = dict(zip(table.query_ids, table.texts("error")[:, :, 0].tolist(), strict=True))
    assert errors["toymath/2"] == ["max_completion_tokens is too large for this toy model.", None]
    assert errors["toymath/3"][1].startswith("Toy text: the time window closed")
    assert table.present[table.query_ids.index("toymath/3")].tolist() == [False, True]
    assert responses(table)["toyfacts/1"] == ["The cow, which is a large animal that", "Cow"]
    assert responses(table)["toymath/1"][1] == "It is 81."  # the first choice, which stands second
    assert responses(table)["toyfacts/2"] == ["Horse", ""]  # refused to answer, which is no failed call
    assert not table.failed[table.query_ids.index("toyfacts/2")].any()
    assert table.cut is not None
    assert table.cut[table.query_ids.index("toyfacts/1"), :, 0].tolist() == [True, False]
    cow = table.queries[table.query_ids.index("toyfacts/1")]
    assert cow.messages == (("system", "Answer briefly."), ("user", "Which animal says moo?"))
    assert table.integers("completion_tokens")[table.query_ids.index("toymath/2")].tolist() == [[0], [40]]
