"""The nano pool's queries, weights and their generators."""

import json
import re
from collections import Counter
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from llm_routing_env.data.building import in_tenths_of_ms
from llm_routing_env.data.nano.build import FOLDER
from llm_routing_env.data.nano.contexts.code import TEMPLATES, WORDS
from llm_routing_env.data.nano.contexts.common import Example, Fact, drawn, is_held_out, repeated, templated_facts
from llm_routing_env.data.nano.contexts.math import addition_steps, subtraction_steps
from llm_routing_env.data.nano.tasks import CONTEXTS, generate_queries, generate_training
from llm_routing_env.pools.pool import load_pool
from llm_routing_env.rewards.scorers import final_answer
from llm_routing_env.tables.queries import Query, QuerySet

WEIGHTS_LIMIT_BYTES = 8 * 1024 * 1024
POOL = load_pool("nano")


@cache
def committed() -> QuerySet:
    return QuerySet.read(FOLDER / "queries.jsonl")


@cache
def training() -> dict[str, list[Example]]:
    return generate_training()


def of_context(context: str) -> list[Query]:
    return [query for query in committed() if query.context == context]


def plain(text: str) -> str:
    return " ".join(text.casefold().split())


def test_six_contexts_are_present():
    assert committed().contexts == ("code", "finance", "geography", "language", "math", "medicine")


def test_committed_queries_are_what_the_generators_make():
    assert list(committed()) == list(generate_queries())


@pytest.mark.parametrize("context", CONTEXTS)
def test_context_has_200_training_and_300_test_queries(context):
    assert Counter(query.split for query in of_context(context)) == {"train": 200, "test": 300}


@pytest.mark.parametrize("context", CONTEXTS)
def test_prompts_are_unique_within_a_context(context):
    prompts = {plain(query.prompt) for query in of_context(context)}
    assert len(prompts) == 500


def test_no_query_was_trained_on():
    seen = {plain(example.prompt) for examples in training().values() for example in examples}
    assert [query.prompt for query in committed() if plain(query.prompt) in seen] == []


@pytest.mark.parametrize("context", CONTEXTS)
def test_no_single_answer_is_common(context):
    answers = Counter(plain(query.references[0]) for query in of_context(context))
    assert answers.most_common(1)[0][1] < 0.12 * 500


@pytest.mark.parametrize("context", ["geography", "language", "medicine"])
def test_every_fact_asked_about_was_taught_in_another_phrasing(context):
    taught = {example.sentence for example in training()[context]}
    assert {query.references[1] for query in of_context(context)} <= taught


def operation(prompt: str, worked: str) -> tuple[str, ...]:
    """The sign and the two numbers; those of a subtraction in one order, whatever the template."""
    first, second = re.findall(r"\d+", prompt)
    sign = worked.lstrip("0123456789")[0]
    return (sign, *sorted((first, second))) if sign == "-" else (sign, first, second)


def test_sums_in_math_queries_were_never_taught_in_any_phrasing():
    taught = {operation(example.prompt, example.sentence) for example in training()["math"]}
    assert not taught & {operation(query.prompt, query.references[1]) for query in of_context("math")}


def test_long_reference_ends_with_terse_reference():
    sentences = [query.references[1] for query in committed()]
    terse = [query.references[:1] for query in committed()]
    assert final_answer(sentences, terse).min() == 1.0


def test_code_answers_are_what_python_prints():
    patterns = [re.escape(template).replace(r"\{\}", "(.+)") for template in TEMPLATES]
    for query in of_context("code"):
        found = [match for pattern in patterns if (match := re.fullmatch(pattern, query.prompt))]
        assert str(eval(found[0].group(1))) == query.references[0]


def test_worked_addition_carries():
    assert addition_steps(45, 37) == "5+7=12, 4+3+1=8, so 82"
    assert addition_steps(12, 34) == "2+4=6, 1+3=4, so 46"


def test_worked_subtraction_borrows():
    assert subtraction_steps(82, 37) == "12-7=5, 8-3-1=4, so 45"
    assert subtraction_steps(58, 36) == "8-6=2, 5-3=2, so 22"


def test_held_out_share_is_about_one_in_n():
    share = sum(is_held_out(str(i), 8) for i in range(8000)) / 8000
    assert share == pytest.approx(1 / 8, abs=0.02)


def test_templated_facts_put_every_pair_on_exactly_one_side():
    facts = [Fact(word, word.upper(), f"It is {word.upper()}") for word in WORDS]
    examples = templated_facts(facts, ["Which is {}?", "Say {}."], one_in=4)
    training_prompts = {example.prompt for example in examples.training}
    held_out_prompts = {example.prompt for example in examples.held_out}
    assert len(training_prompts) + len(held_out_prompts) == 2 * len(WORDS)
    assert not training_prompts & held_out_prompts


def test_drawing_more_than_there_are_is_refused():
    with pytest.raises(ValueError, match="Expected at least 2 examples, got 1"):
        drawn([Example("a", "b", "b")], 2, np.random.default_rng(0))


def test_repeating_goes_round():
    one, two = Example("1", "1", "1"), Example("2", "2", "2")
    assert repeated([one, two], 3) == [one, two, one]


def test_all_weights_together_stay_small():
    files = [path for path in (FOLDER / "weights").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= WEIGHTS_LIMIT_BYTES


@pytest.mark.parametrize("llm", POOL.llms, ids=lambda llm: llm.name)
def test_weights_are_a_complete_hugging_face_folder(llm):
    folder = FOLDER / llm.model
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    }  # fmt: skip
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]
    assert "<|user|>" in json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]


@pytest.mark.parametrize("llm", POOL.llms, ids=lambda llm: llm.name)
def test_name_tells_the_number_of_parameters(llm):
    size = (FOLDER / llm.model / "model.safetensors").stat().st_size
    millions = float(llm.name.split("-")[1].removesuffix("m"))
    assert size / 2e6 == pytest.approx(millions, abs=0.06)


def test_weights_folders_are_those_of_the_pool():
    assert {path.name for path in (FOLDER / "weights").iterdir()} == set(POOL.llm_names)


def test_waits_and_first_tokens_are_kept_to_a_tenth_of_a_millisecond():
    kept = pq.read_table(FOLDER / "outcomes.parquet")
    noisy = kept
    for name, noise_s in (("ttft_s", 4e-5), ("wait_s", -4e-5), ("latency_s", 4e-5)):
        noisy = noisy.set_column(noisy.column_names.index(name), name, pc.add(noisy[name], noise_s))
    rounded = pa.concat_tables(in_tenths_of_ms(noisy).batches(["ttft_s", "wait_s", "latency_s"]))
    for name in ("ttft_s", "wait_s"):
        np.testing.assert_array_equal(rounded[name].to_numpy(), kept[name].to_numpy())
    np.testing.assert_array_equal(rounded["latency_s"].to_numpy(), noisy["latency_s"].to_numpy())
