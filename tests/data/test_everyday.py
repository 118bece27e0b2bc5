"""The everyday table: nano's queries and LLMs as they are there, and an LLM that nano has not where it is needed."""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from llm_routing_env.data.everyday.build import FOLDER, everyday_queries
from llm_routing_env.data.everyday.general import QUESTIONS
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.pools.pool import load_pool
from llm_routing_env.pools.provenance import weights_sha256
from llm_routing_env.rewards.scorers import SCORERS
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

SMOLLM2 = "smollm2-135m"
MOST_BYTES = 3 * 1024 * 1024  # of what ships with it


@cache
def table() -> OutcomeTable:
    return OutcomeTable.read("everyday")


def general() -> list[Query]:
    return [query for query in everyday_queries() if query.context == "general"]


def test_seven_contexts_are_present():
    assert table().contexts == ("code", "finance", "general", "geography", "language", "math", "medicine")


def test_committed_queries_are_what_the_builder_makes_and_what_was_recorded():
    committed = QuerySet.read(FOLDER / "queries.jsonl")
    assert list(committed) == list(everyday_queries()) == list(table().queries)
    assert table().metadata["queries_sha256"] == committed.sha256


def test_the_other_contexts_hold_queries_of_nano():
    nano = set(QuerySet.read(FOLDER.parent / "nano" / "queries.jsonl"))
    assert {query for query in everyday_queries() if query.context != "general"} <= nano


def test_general_questions_differ_from_each_other_and_from_those_of_nano():
    nano = {query.prompt.casefold() for query in QuerySet.read(FOLDER.parent / "nano" / "queries.jsonl")}
    prompts = [query.prompt.casefold() for query in general()]
    assert len(set(prompts)) == len(prompts) >= 200
    assert not nano & set(prompts)


def test_a_session_of_200_general_queries_asks_none_twice():
    assert Counter(query.split for query in general()) == {"train": 110, "test": 220}


def test_every_kind_of_general_question_has_a_third_in_the_train_split():
    kinds = QUESTIONS.read_text(encoding="utf-8").split("\n## ")[1:]
    splits = iter(query.split for query in general())
    for kind in kinds:
        n_questions = sum("|" in line for line in kind.splitlines())
        of_kind = Counter(next(splits) for _ in range(n_questions))
        assert of_kind["train"] == pytest.approx(n_questions / 3, abs=1)


@pytest.mark.parametrize("reference", [0, -1])
def test_the_scorer_takes_every_reference_of_a_general_question(reference: int):
    responses = [query.references[reference] for query in general()]
    assert SCORERS["final_answer"](responses, [query.references for query in general()]).min() == 1.0


def test_no_single_answer_of_general_is_common():
    answers = Counter(query.references[0] for query in general())
    assert answers.most_common(1)[0][1] < 0.03 * len(general())


@pytest.mark.parametrize("scorer", ["final_answer", "exact_match", "token_f1"])
def test_recorded_scores_are_those_of_the_responses(scorer: str):
    responses = table().texts("response")[:, :, 0]
    for llm in range(table().n_llms):
        references = [query.references for query in table().queries]
        assert (SCORERS[scorer](responses[:, llm].tolist(), references) == table().accuracy(scorer)[:, llm, 0]).all()


def test_recorded_costs_are_tokens_times_the_prices_of_the_pool():
    read, written = (table().integers(f"{kind}_tokens")[:, :, 0] for kind in ("prompt", "completion"))
    llms = load_pool("everyday").llms
    usd = read * [llm.input_price_usd_per_mtok for llm in llms] + written * [
        llm.output_price_usd_per_mtok for llm in llms
    ]
    assert table().cost_usd[:, :, 0] == pytest.approx(usd / 1e6)


def test_every_llm_answered_every_query():
    assert table().present.all()
    assert not table().failed.any()


def test_its_load_curve_and_embeddings_are_there():
    assert set(table().metadata["load_curve"]["llms"]) == set(table().llm_names)
    assert table().metadata["load_average"] > 0
    assert RoutingProblem("everyday", observation="embedding32").observations.shape == (table().n_queries, 32)


def test_nanos_llms_are_nanos_and_say_there_what_they_say_here():
    ours, nano = table(), OutcomeTable.read("nano")
    expected = weights_sha256(load_pool("nano"))
    assert {name: ours.metadata["weights_sha256"][name] for name in expected} == expected
    places = {name: place for place, name in enumerate(nano.query_ids)}
    here = [row for row, name in enumerate(ours.query_ids) if name in places]
    there = [places[ours.query_ids[row]] for row in here]
    said, says = ours.texts("response")[here, :4, 0], nano.texts("response")[there, :, 0]
    assert (said == says).mean() > 0.95  # another processor rounds bfloat16 otherwise


def test_the_pretrained_llm_is_right_in_general_where_nanos_are_not():
    right = table().accuracy(table().scorer)[table().select("general", "all")].mean(axis=(0, 2))
    by_name = dict(zip(table().llm_names, right.tolist(), strict=True))
    assert by_name.pop(SMOLLM2) > 3 * max(by_name.values())


def test_the_pretrained_llm_is_the_choice_in_general_alone():
    problem = RoutingProblem("everyday", reward="pickllm")
    best = {context: int(problem.expected_rewards(context).argmax()) for context in problem.contexts}
    assert [context for context, llm in best.items() if table().llm_names[llm] == SMOLLM2] == ["general"]


def test_its_latency_is_measured_and_the_longest_in_general():
    assert "latency" not in table().metadata  # else it would be simulated
    p50 = np.median(table().latency_s[table().select("general", "all")], axis=(0, 2))
    assert table().llm_names[int(p50.argmax())] == SMOLLM2
    assert len(np.unique(table().latency_s)) > 0.9 * table().latency_s.size


def test_what_ships_is_small_and_holds_no_weights():
    files = [path for path in FOLDER.rglob("*") if path.is_file() and "recorded" not in path.name]
    assert not [path for path in files if path.suffix in (".safetensors", ".gguf", ".whl")]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
