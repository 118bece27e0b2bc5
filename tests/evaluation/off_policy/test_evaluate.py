"""A whole log: the estimates, the truth beside them, and what is refused."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent
from llm_routing_env.envs.problem import MIXED
from llm_routing_env.evaluation.off_policy import ESTIMATORS, evaluate_log

BEST = "atlas-0.8m"


def test_snips_of_a_fixed_llm_is_the_mean_of_its_pulls(log_of):
    log = log_of()
    found = evaluate_log(log, f"always:{BEST}")["estimates"]
    pulls = log.action == log.llm_names.index(BEST)
    for measure in ("reward", "accuracy", "cost_usd", "latency_s"):
        assert found[measure]["snips"]["mean"] == pytest.approx(getattr(log, measure)[pulls].mean())
        assert found[measure]["log"] == pytest.approx(getattr(log, measure).mean())
        assert list(found[measure]) == ["log", *ESTIMATORS]


def test_the_truth_is_the_tables_mean_over_the_split_by_the_logs_contexts(nano, log_of):
    truth = evaluate_log(log_of(n=1800), f"always:{BEST}", with_truth=True)["truth"]  # every query of the split
    llm, queries = nano.table.llm_names.index(BEST), nano.queries_of(MIXED)
    assert truth["accuracy"] == pytest.approx(nano.cells.accuracy[queries, llm].mean())
    assert truth["reward"] == pytest.approx(nano.expected_rewards()[llm])


def test_intervals_hold_the_truth_of_a_fitted_router(log_of):
    document = evaluate_log(log_of(seed=1), "zero_router", observation="embedding32", with_truth=True)
    for measure, truth in document["truth"].items():
        assert document["estimates"][measure]["dr"]["low"] < truth < document["estimates"][measure]["dr"]["high"]
    assert all("large values make most of the variance of latency_s" in said for said in document["warnings"])


def test_random_on_a_uniform_log_teaches_nothing(log_of):
    document = evaluate_log(log_of(), "random")
    assert document["estimates"]["reward"]["snips"]["mean"] == pytest.approx(document["estimates"]["reward"]["log"])
    assert "too close" in document["warnings"][0]


def test_the_cheapest_llm_is_that_of_the_train_split(log_of):
    log = log_of()
    assert evaluate_log(log, "cheapest")["estimates"] == evaluate_log(log, "always:tiny-0.1m")["estimates"]


def test_a_saved_agent_is_the_policy_that_it_was_when_it_was_saved(nano, log_of, tmp_path):
    agent = make_agent("ucb1", nano.task, seed=0)
    for llm, reward in enumerate((0.0, 0.0, 1.0, 0.0)):
        agent.select_action(None)
        agent.update(None, llm, reward)
    agent.save(tmp_path / "ucb1.npz")
    log = log_of()
    found = evaluate_log(log, str(tmp_path / "ucb1.npz"))["estimates"]
    assert found == evaluate_log(log, f"always:{nano.table.llm_names[2]}")["estimates"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_of_probabilities_is_a_policy(log_of, tmp_path, suffix):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import csv, parquet

    log = log_of()
    n = len(log.query_ids)
    table = pa.table({"query_id": list(log.query_ids), BEST: np.full(n, 0.75), "calc-0.6m": np.full(n, 0.25)})
    path = tmp_path / f"mine.{suffix}"
    csv.write_csv(table, path) if suffix == "csv" else parquet.write_table(table, path)
    found = evaluate_log(log, str(path))["estimates"]["reward"]["ips"]["mean"]
    each = [evaluate_log(log, f"always:{llm}")["estimates"]["reward"]["ips"]["mean"] for llm in (BEST, "calc-0.6m")]
    assert found == pytest.approx(0.75 * each[0] + 0.25 * each[1])


def test_masked_llms_pass_their_share_to_the_others(log_of):
    mask = np.ones((400, 4), dtype=bool)
    mask[:, 3] = False
    third = (1 / 3, 1 / 3, 1 / 3, 0.0)
    document = evaluate_log(log_of(third, mask=mask), "random")
    assert document["support"]["largest_weight"] == pytest.approx(1.0)
    assert document["support"]["never_asked"] == 0.0


def test_a_policy_that_was_fitted_on_the_queries_of_the_log_is_said_to_be(nano, log_of):
    train = nano.table.select(None, "train")[:50]
    ids = tuple(nano.table.query_ids[row] for row in train)
    document = evaluate_log(log_of(n=50, query_ids=ids), "zero_router")
    assert "50 of 50 rows" in document["warnings"][-1]


def test_a_measure_that_some_rows_lack_is_not_estimated(log_of):
    log = log_of()
    latency_s = np.where(np.arange(400) < 3, np.nan, log.latency_s)
    document = evaluate_log(log_of(latency_s=latency_s), "always:calc-0.6m")
    assert document["not_estimated"] == {"latency_s": "not known in 3 of 400 rows"}
    assert "latency_s" not in document["estimates"]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("always:atlas", "Unknown LLM 'atlas'. Did you mean 'atlas-0.8m'?"),
        ("cheepest", "Unknown policy 'cheepest'. Did you mean 'cheapest'?"),
        ("ucb1", "ucb1 learns while it routes"),
        ("round_robin", "answers otherwise once it was asked"),
    ],
)
def test_what_is_no_settled_policy_is_refused(log_of, policy, said):
    with pytest.raises(ValueError, match=said.replace(".", r"\.").replace("?", r"\?")):
        evaluate_log(log_of(), policy)


def test_several_learners_in_one_file_are_no_policy(nano, log_of, tmp_path):
    make_agent("ucb1", nano.task, n_sessions=3, seed=0).save(tmp_path / "three.npz")
    with pytest.raises(ValueError, match="holds 3 learners at once"):
        evaluate_log(log_of(), str(tmp_path / "three.npz"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("query_id,atlas-0.8m\na,0.5\n", "must be numbers of 0 or more that sum to 1"),
        ("query_id,atlas-0.8m\na,1\na,1\n", "the query 'a' must have one row, got 2"),
        ("query_id,atlas-0.8m,atlas-0.8m\na,1,0\n", "more than one column 'atlas-0.8m'"),
        ("query_id,atlas-0.8m\na,one\n", "must hold numbers"),
        ("query_id,atlas\na,1\n", "Did you mean 'atlas-0.8m'"),
        ("query,atlas-0.8m\na,1\n", "must have a column 'query_id'"),
        ("query_id,atlas-0.8m\na,1\n", "has no row for the query"),
        ("", "cannot be read as csv"),
    ],
)
def test_a_file_that_is_no_policy_is_refused(log_of, tmp_path, content, said):
    path = tmp_path / "mine.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=said):
        evaluate_log(log_of(), str(path))


def test_a_log_without_propensities_is_refused(log_of):
    with pytest.raises(ValueError, match="400 of 400 rows have no propensity"):
        evaluate_log(log_of(propensity=np.full(400, np.nan)), "random")


def test_another_table_is_refused(log_of):
    metadata = dict(log_of().metadata, table={"name": "nano", "sha256": "0" * 64})
    with pytest.raises(ValueError, match="sha256"):
        evaluate_log(log_of(metadata=metadata), "cheapest")


def test_a_log_of_no_table_has_estimates_and_no_truth(log_of):
    log = log_of(metadata={})
    assert evaluate_log(log, "random")["truth"] is None
    for given in ({"with_truth": True}, {"observation": "embedding32"}, {"table": "nano"}):
        with pytest.raises(ValueError, match="of no outcome table"):
            evaluate_log(log, "random", **given)
    with pytest.raises(ValueError, match="of no outcome table"):
        evaluate_log(log, "linear_router")


def test_live_answers_have_no_recorded_truth(log_of):
    with pytest.raises(ValueError, match="live answers"):
        evaluate_log(log_of(metadata=dict(log_of().metadata, backend="live")), "random", with_truth=True)


def test_a_table_that_is_not_found_asks_for_its_path(log_of):
    metadata = dict(log_of().metadata, table={"name": "mine", "sha256": "0" * 64})
    with pytest.raises(ValueError, match="give its path with --table"):
        evaluate_log(log_of(metadata=metadata), "cheapest")


def test_a_cost_that_is_always_0_is_no_share_of_anything(log_of):
    """An accuracy that is always 0 may be one of 1 in 100 that nobody saw; dollars are no such thing."""
    nothing = np.zeros(400)
    found = evaluate_log(log_of(accuracy=nothing, cost_usd=nothing), "random")["estimates"]
    assert found["accuracy"]["snips"]["high"] == pytest.approx(1.96**2 / (400 + 1.96**2), rel=1e-3)  # Wilson's
    assert found["cost_usd"]["snips"] == {"mean": 0.0, "low": None, "high": None}


def test_a_propensity_that_nobody_has_ever_seen_come_true_is_refused(log_of):
    with pytest.raises(ValueError, match=r"expected a propensity of at least 1e-50, found 1e-200"):
        evaluate_log(log_of(propensity=np.append(np.full(399, 0.25), 1e-200)), "random")


def test_few_large_values_are_warned_of(log_of):
    rng = np.random.default_rng(0)
    for cost, is_skewed in ((np.exp(2 * rng.normal(size=400)), True), (rng.normal(9, 1, size=400), False)):
        said = evaluate_log(log_of(cost_usd=cost), "always:calc-0.6m")["warnings"]
        assert any("most of the variance of cost_usd" in line for line in said) == is_skewed
