"""Inspection: hand-computed numbers of six queries, what neighbours may know, and what the command prints."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tables import queries, records, write_random_table
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.inspection import inspect_table, verdict
from llm_routing_env.evaluation.neighbours import route_by_neighbours
from llm_routing_env.evaluation.split_half import SplitHalf, routed_means
from llm_routing_env.observations.embedding_file import embeddings_path, write_embeddings
from llm_routing_env.rewards.unread import not_read
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

# Rows: art-0 (train), art-1, art-2, chess-0 (train), chess-1, chess-2. "a" costs twice as much as "b".
ACCURACY = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [1, 0]], dtype=float)[:, :, None]


def six_queries(**changes: Any) -> OutcomeTable:
    asked = queries(3, ["art", "chess"])
    rows = records(asked, ["a", "b"], ACCURACY, np.array([2e-4, 1e-4])[None, :, None], 0.1)
    return OutcomeTable.from_records(asked, ["a", "b"], [row | changes for row in rows], {})


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """With the cost scale of 2e-4, "a" gains accuracy - 0.4 and "b" accuracy - 0.2."""
    problem = RoutingProblem(six_queries(), observation="none", split="all", reward="additive", weights=(1, 0.4, 0))
    return inspect_table(problem)


def test_sizes_and_means(document: dict[str, Any]):
    assert document["sizes"] == {
        "queries": 6,
        "train": 2,
        "test": 4,
        "llms": 2,
        "repeats": 1,
        "failed_calls": 0,
        "contexts": {"art": 3, "chess": 3},
    }
    overall, chess = document["means"]["all"], document["means"]["chess"]
    assert overall["a"]["accuracy"] == pytest.approx(4 / 6)
    assert overall["a"]["cost_usd"] == pytest.approx(2e-4)
    assert overall["a"]["latency_s"] == pytest.approx(0.1)
    assert overall["a"]["reward"] == pytest.approx(4 / 6 - 0.4)
    assert chess["a"]["reward"] == pytest.approx(1 / 3 - 0.4)
    assert chess["b"]["reward"] == pytest.approx(2 / 3 - 0.2)


def test_the_best_fixed_llm_is_that_of_comparisons():
    """Contexts equal, in hindsight and chosen on the other split: what `compare` reports for the same table."""
    asked = QuerySet([*queries(9, ["large"]), *queries(3, ["small"])])
    is_large = np.array([query.context == "large" for query in asked])
    right = np.stack([is_large, ~is_large | (np.arange(12) % 9 < 4)], axis=1)[:, :, None].astype(float)
    table = OutcomeTable.from_records(asked, ["a", "b"], records(asked, ["a", "b"], right, 1e-5, 0.1), {})
    problem = RoutingProblem(table, observation="none", weights=(1, 0, 0), split="test")
    document = inspect_table(problem)
    compared = compare(["random"], table=table, weights=(1, 0, 0), n_sessions=1, length=2).references
    assert document["best_fixed_llm"] == compared.best_fixed == "b"
    assert document["best_fixed_llm_of_other_split"] == compared.chosen_fixed
    assert document["means"]["all"]["a"]["reward"] == pytest.approx((1.0 + 0.0) / 2)


def test_the_best_overall_and_by_context(document: dict[str, Any]):
    assert document["best_fixed_llm"] == "a"
    assert document["context_best_llm"] == {"art": "a", "chess": "b"}


def test_choices_of_one_half_are_judged_on_the_other(document: dict[str, Any]):
    """Train picks "b" (0.3 to 0.1), worth 0.2 on the four test queries; test picks "a" (0.35 to 0.05), worth 0.2.

    By context both pick "a" for art and "b" for chess: 1.8 on test, 1.4 on train. The oracle has 4.0 of six queries.
    """
    judged = document["context_label"]["by_table_split"]
    assert judged["best_fixed"] == pytest.approx(0.4 / 6)
    assert judged["context_best"] == pytest.approx(3.2 / 6)
    assert judged["oracle"] == pytest.approx(4.0 / 6)
    assert judged["gap_closed"] == pytest.approx(2.8 / 3.6)


def test_the_audit_shares_the_variance_between_llm_means(document: dict[str, Any]):
    """Accuracy: 0.25 in art, (1/6)^2 in chess; cost: 0.1^2 in both."""
    audit = document["audit"]
    accuracy, cost = (0.25 + 1 / 36) / 2, 0.01
    assert audit["accuracy"]["effect_variance"] == pytest.approx(accuracy)
    assert audit["cost"]["effect_variance"] == pytest.approx(cost)
    assert audit["cost"]["share"] == pytest.approx(cost / (accuracy + cost))
    assert audit["accuracy"]["best_changes_without_it"] == ["art"]
    assert audit["cost"]["best_changes_without_it"] == []


def test_the_sweep_finds_where_the_best_llm_changes(document: dict[str, Any]):
    """In art "a" gains w - 0.4 against -0.2, so it is best above an accuracy weight of 0.2; chess is always "b"'s."""
    swept = document["sweep"]["accuracy"]
    assert swept["best"]["chess"] == ["b"] * len(swept["weights"])
    for weight, best in zip(swept["weights"], swept["best"]["art"], strict=True):
        assert best == ("a" if weight > 0.2 else "b")


def test_the_ratio_is_audited_by_its_effect_on_the_reward():
    problem = RoutingProblem(six_queries(), observation="none", split="all", weights=(1, 0.4, 0.5))
    document = inspect_table(problem)
    assert document["audit"]["latency"]["share"] == 0.0  # every LLM takes as long
    assert any("only scales" in warning for warning in document["warnings"])
    assert any("weight on latency (0.5) does nothing" in warning for warning in document["warnings"])


def test_what_is_missing_is_said():
    table = six_queries(latency_s=None)
    document = inspect_table(RoutingProblem(table, observation="none", split="all", weights=(1, 0.4, 0)))
    assert document["notes"] == ["The table records no latency."]
    assert document["means"]["all"]["a"]["latency_s"] is None
    assert set(document["sweep"]) == {"accuracy", "cost"}
    assert "no embeddings" in document["embeddings"]["judged"]
    json.dumps(document, allow_nan=False)


def test_random_halves_follow_the_seed_and_agree_with_the_limit():
    """With many queries of two contexts, each won by 1 to 0 by its LLM, a label closes the whole gap."""
    contexts = np.arange(400) % 2
    means = np.eye(2)[contexts] * 1.0
    halves = SplitHalf(means, contexts)
    judged, share = halves.measure_random(np.random.default_rng(0), 20)
    assert (judged.oracle, judged.informed) == (1.0, 1.0)
    assert share["mean"] == share["low"] == share["high"] == 1.0
    noise = SplitHalf(np.random.default_rng(1).random((400, 3)), contexts)
    one, again, other = (noise.measure_random(np.random.default_rng(seed), 20)[1] for seed in (0, 0, 1))
    assert one == again != other


def test_a_context_of_one_query_falls_back_on_the_best_fixed_llm():
    halves = SplitHalf(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([0, 0, 1]))
    judged = halves.measure(np.array([True, False, False]))
    assert judged.informed == pytest.approx((1 + 0) / 2)  # 1 in the first context, 0 in the second


def clusters(n: int = 200) -> tuple[Any, Any, list[str]]:
    rng = np.random.default_rng(0)
    kind = np.arange(n) % 2
    vectors = np.eye(4)[kind] + 0.1 * rng.normal(size=(n, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.eye(2)[kind], [f"prompt {i}" for i in range(n)]


def test_neighbours_close_the_gap_where_embeddings_tell_and_nothing_where_not():
    embeddings, means, prompts = clusters()
    rng = np.random.default_rng(0)
    one = np.zeros(200, dtype=np.int64)
    told = route_by_neighbours(embeddings, means, one, prompts, rng)
    assert told.informed.mean() == 1.0
    assert told.fixed.mean() <= 0.5
    noise = route_by_neighbours(rng.permuted(embeddings, axis=0), rng.random((200, 2)), one, prompts, rng)
    assert abs(noise.informed.mean() - 0.5) < 0.1


def test_neighbours_never_see_the_query_they_judge():
    """A query's own reward, or that of an equal prompt, does not move its choice."""
    rng = np.random.default_rng(3)
    embeddings, _, prompts = clusters(100)
    means = rng.random((100, 3))
    one = np.zeros(100, dtype=np.int64)
    before = route_by_neighbours(embeddings, means, one, prompts, np.random.default_rng(0))
    for query in (0, 17, 99):
        raised = means.copy()
        raised[query] = [10.0, 20.0, 30.0]
        after = route_by_neighbours(embeddings, raised, one, prompts, np.random.default_rng(0))
        chosen = int(np.argmin(np.abs(means[query] - before.informed[query])))
        assert after.informed[query] == raised[query, chosen]
    twins = np.repeat(means[:50], 2, axis=0)
    paired = route_by_neighbours(
        np.repeat(embeddings[:50], 2, axis=0), twins, one, [f"p{i // 2}" for i in range(100)], np.random.default_rng(0)
    )
    assert paired.informed.mean() < 0.7 < twins.max(axis=1).mean()


def test_the_share_of_the_gap_has_an_interval_that_covers_it():
    rng = np.random.default_rng(0)
    fixed, oracle = rng.random(500) * 0.2, 1.0 + np.zeros(500)
    contexts = np.arange(500) % 3
    judged, share = routed_means(fixed, fixed + 0.5 * (oracle - fixed), oracle, contexts, 0)
    assert judged.gap_closed == share["mean"] == pytest.approx(0.5)
    assert share["low"] == pytest.approx(0.5)
    assert routed_means(fixed, fixed, fixed, contexts, 0)[1]["mean"] is None


def test_contexts_count_equally_in_what_is_routed():
    contexts = np.array([0] * 9 + [1])
    judged, _ = routed_means(np.zeros(10), (contexts == 1).astype(float), np.ones(10), contexts, 0)
    assert judged.informed == pytest.approx(0.5)
    halves = SplitHalf(np.array([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 2), np.array([0] * 8 + [1] * 2))
    judged = halves.measure(np.arange(10) % 2 == 0)
    assert (judged.best_fixed, judged.informed, judged.oracle) == pytest.approx((0.5, 1.0, 1.0))


def said(share: float | None, winners: tuple[str, ...], embeddings: dict[str, float] | None = None) -> str:
    interval = {"mean": share, "low": share and share - 0.02, "high": share and share + 0.02}
    return verdict(
        {
            "best_fixed_llm": winners[0],
            "context_best_llm": dict(enumerate(winners)),
            "context_label": {"gap_closed": interval},
            "embeddings": {"gap_closed": embeddings},
        }
    )


def test_the_verdict_in_words():
    known = {"mean": 0.3, "low": 0.2, "high": 0.4}
    assert said(None, ("a",)) == "a is best for every query: nothing to learn here."
    assert said(0.01, ("a", "a")) == "A constant LLM (a) is best in every context: nothing to learn here."
    assert "but from query embeddings, which close 30.0 %" in said(0.01, ("a", "a"), known)
    assert said(0.25, ("a", "b"), known) == (
        "A context label closes 25.0 % of the gap between the best fixed LLM and the oracle, query embeddings 30.0 %."
    )
    assert "closes 1.0 % (perhaps nothing)" in said(0.01, ("a", "b"))


def test_the_command_prints_the_document_and_draws_the_figure(tmp_path: Path):
    path = write_random_table(tmp_path)
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["inspect", str(path), "--json", "--out", str(out)])
    assert done.exit_code == 0, done.output
    printed = json.loads((out / "inspection.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert {"sizes", "means", "context_label", "embeddings", "audit", "sweep", "verdict"} <= printed.keys()
    assert printed["embeddings"]["neighbours_asked"]
    assert printed["sha256"] == OutcomeTable.read(path).sha256
    assert (out / "best_llm_by_weight.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_failures_and_contexts_that_are_not_judged_are_marked(tmp_path: Path):
    table = six_queries(error="HTTP 404: no such model", response=None)
    chess = table.query_contexts == table.contexts.index("chess")
    table.resplit(np.arange(6), chess).write(tmp_path / "six.parquet")
    output = CliRunner().invoke(app, ["inspect", str(tmp_path / "six.parquet")]).output
    assert "6 of the 6 calls of 'a' failed, the first with 'HTTP 404: no such model'; " in output
    assert "100%" in output
    assert "1 of 2 contexts ('chess') not judged: no query in the test split." in output


def test_the_command_prints_tables_warnings_and_the_verdict(tmp_path: Path):
    table = six_queries()
    table.metadata["latency"] = "simulated from elsewhere"
    table.write(tmp_path / "six.parquet")
    write_embeddings(embeddings_path(tmp_path / "six.parquet"), table.queries, np.eye(6, 8, dtype=np.float32), "none")
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "six.parquet"), "--reward", "additive"])
    assert done.exit_code == 0, done.output
    assert "The latency is simulated from elsewhere." in done.output
    assert "too few to judge" in done.output
    assert "Headroom" in done.output
    assert "A context label closes" in done.output


def test_only_the_queries_of_the_split_count(tmp_path: Path):
    table = six_queries()
    document = inspect_table(RoutingProblem(table, observation="none", split="train", weights=(1, 0, 0)))
    assert document["sizes"]["queries"] == 2
    assert document["means"]["all"]["a"]["accuracy"] == 0.5
    assert document["context_label"]["by_table_split"] is None


def inspected(**changes: Any) -> dict[str, Any]:
    """Inspect LLMs of which "b" is right half as often as "a", costs as much and is ten times as fast."""
    asked = queries(2, ["art"])
    accuracy = np.array([[1.0, 0.5], [1.0, 0.5]])[:, :, None]
    rows = records(asked, ["a", "b"], accuracy, 1e-4, np.array([1.0, 0.1])[None, :, None])
    for row in rows:
        row["measure_bias"] = 1.0 if row["llm"] == "a" else 0.0
    table = OutcomeTable.from_records(asked, ["a", "b"], rows, {})
    arguments: dict[str, Any] = {"split": "all", "reward": "additive", "weights": (1, 0, 0.4), **changes}
    return inspect_table(RoutingProblem(table, observation="none", **arguments))


def test_the_audit_and_the_sweep_divide_the_latency_as_the_reward_does():
    """The latency costs "a" 0.4 more than "b" and the accuracy brings it 0.5 more; at half the scaling, 0.8 more."""
    for t_scaling, best in ((1.0, "a"), (0.5, "b")):
        document = inspected(t_scaling=t_scaling)
        assert document["context_best_llm"] == {"art": best}
        assert document["sweep"]["latency"]["best"]["art"][12] == best  # the weight as it is
        assert document["audit"]["latency"]["best_changes_without_it"] == ([] if best == "a" else ["art"])


def test_the_audit_knows_further_terms():
    """Without it "a" leads by 0.1, and the bias takes 0.3 from it: a variance of 0.15 squared."""
    document = inspected(extra_terms={"bias": 0.3})
    assert document["context_best_llm"] == {"art": "b"}
    assert document["sweep"]["accuracy"]["best"]["art"][12] == "b"
    bias = document["audit"]["bias"]
    assert bias["weight"] == 0.3
    assert bias["effect_variance"] == pytest.approx(0.15**2)
    assert bias["best_changes_without_it"] == ["art"]
    assert sum(entry["share"] for entry in document["audit"].values()) == pytest.approx(1.0)


def test_further_terms_are_part_of_the_ratios_numerator():
    """(0.75 - 0.15) / 1 is the middle: the latency, 1.2 to 0.8, moves it by 0.2 * 0.6 either way, the bias by 0.15."""
    audit = inspected(reward="pickllm", extra_terms={"bias": 0.3})["audit"]
    assert audit["bias"]["effect_variance"] == pytest.approx(0.15**2)
    assert audit["latency"]["effect_variance"] == pytest.approx((0.2 * 0.6) ** 2)


def test_names_that_differ_at_their_ends_can_be_told_apart(tmp_path: Path):
    names = ["meta-llama/Llama-3.1-8B-Instruct-Lite", "meta-llama/Llama-3.1-8B-Instruct-Turbo"]
    asked = queries(3, ["art"])
    rows = records(asked, names, np.eye(2)[:, :, None].mean(axis=0), 1e-4, [0.1])
    OutcomeTable.from_records(asked, names, rows, {}).write(tmp_path / "t.parquet")
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "t.parquet")], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    for name, number in zip(names, ("#1", "#2"), strict=True):
        end = next(row for row, line in enumerate(lines) if f" {number} " in line)
        assert "".join(line.split("  ")[0] for line in lines[end - 1 : end + 1]).endswith(name)  # in one line or two


def test_the_noise_between_repeats_by_hand():
    """Of four repeats two are right: a variance of 4 * 0.25 / 3; the shorter of the two contexts has three queries."""
    asked = queries(4, ["art", "chess"])[:7]
    rows = records(asked, ["a", "b"], [[[1.0, 1.0, 0.0, 0.0]]], 1e-4, 0.1)
    table = OutcomeTable.from_records(asked, ["a", "b"], rows, {})
    arguments: dict[str, Any] = {"observation": "none", "split": "all", "reward": "additive", "weights": (0.5, 0, 0)}
    noise = inspect_table(RoutingProblem(table, **arguments))["repeat_noise"]
    assert noise["session_length"] == 3
    assert noise["accuracy_sd"] == pytest.approx((1 / 3) ** 0.5)
    assert noise["reward_sd"] == pytest.approx(0.5 * (1 / 3) ** 0.5)
    assert noise["session_accuracy_sd"] == pytest.approx(1 / 3)
    assert inspect_table(RoutingProblem(six_queries(), **arguments))["repeat_noise"] is None


def test_the_command_says_what_each_range_is_and_what_it_cannot_know(tmp_path: Path):
    path = write_random_table(tmp_path, per_context=20)
    six_queries().write(tmp_path / "six.parquet")
    paths = (path, tmp_path / "six.parquet")
    repeated, single = (CliRunner().invoke(app, ["inspect", str(name)]).output for name in paths)
    assert "halves: " in repeated
    assert "interval: " in repeated
    assert "no confidence interval" in repeated
    assert "standard deviation" in repeated
    assert "one repeat: how much" in single


def test_the_share_of_answers_that_could_not_be_read_is_said(tmp_path: Path):
    asked = queries(4, ["art"])
    rows = records(asked, ["clear", "vague"], 1.0, 1e-4, np.full(1, 0.1))
    for row in rows:
        row["accuracy_final_answer"] = row.pop("accuracy_exact_match")
        is_read = row["llm"] == "clear" or row["query_id"] == "art-0"
        row["response"] = "The answer is 18." if is_read else "It is 18 or 20"
    table = OutcomeTable.from_records(asked, ["clear", "vague"], rows, {})
    said = inspect_table(RoutingProblem(table, observation="none"))["not_read"]
    assert said == "No final answer could be read in some responses, which score 0: vague 75.0%."
    table.write(tmp_path / "t.parquet")
    assert "vague 75.0%" in CliRunner().invoke(app, ["inspect", str(tmp_path / "t.parquet")]).output
    assert not_read(table, "exact_match") == ""
