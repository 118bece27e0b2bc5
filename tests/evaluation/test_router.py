"""Routers in files: they go on exactly where they stopped, and are used on nothing that they did not learn."""

import json
from dataclasses import replace

import numpy as np
import pytest
from mutations import damaged, odd, read_or_refuse
from tables import queries, random_table, records

from llm_routing_env.agents import AGENTS, agent_class, make_agent
from llm_routing_env.agents.parts import checkpoint
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.router import Router, read_router, write_router
from llm_routing_env.evaluation.train import train
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table(per_context=40)
N_TRAIN = len(TABLE.select(None, "train"))
LARGER = random_table(per_context=40, n_llms=5)
LEARNERS = [name for name in AGENTS if agent_class(name).feedback == "bandit"]


def keep(path, agent, **options) -> Router:
    trained = train(agent, **{"table": TABLE} | options)
    write_router(path, trained.agent, trained.learned)
    return read_router(path)


def seen_by(name, table=TABLE, **options):
    return RoutingProblem(table, observation=agent_class(name).observation, **options)


@pytest.mark.parametrize("name", ["thompson_beta", "learning_automaton", "outcome_linear", "outcome_thompson", "exp3"])
def test_going_on_is_never_having_stopped(name, tmp_path):
    """Within the split, over its end, and at its end, where a session begins."""
    whole = keep(tmp_path / "whole.npz", name, n_queries=2 * N_TRAIN + 9, seed=3)
    assert whole.learned.queries == whole.learned.routed == 2 * N_TRAIN + 9
    part = keep(tmp_path / "part.npz", name, n_queries=7, seed=3)
    for n_queries in (N_TRAIN - 7, N_TRAIN + 4, 5):
        part = keep(tmp_path / "part.npz", part, n_queries=n_queries)
    assert part.learned == whole.learned
    assert part.header == whole.header
    for array, values in whole.arrays.items():
        np.testing.assert_array_equal(part.arrays[array], values)


def test_the_rest_of_the_split_is_routed_where_nothing_is_said(tmp_path):
    router = keep(tmp_path / "router.npz", "ucb1", n_queries=7)
    assert train(router, table=TABLE).n_queries == N_TRAIN - 7
    assert train("ucb1", table=TABLE).n_queries == N_TRAIN


@pytest.mark.parametrize("name", ["outcome_ucb", "zero_router"])
def test_a_router_has_lived_as_the_first_lifetime(name, tmp_path):
    """Of rules that draw nothing; and of a fitted one, which is frozen either way."""
    path = str(tmp_path / "router.npz")
    is_fitted = name == "zero_router"
    keep(path, name)
    given = {"n_sessions": 2, "length": 15, "table": TABLE}
    entries = [path, name] if is_fitted else [f"{path}@lifelong", f"{name}@lifelong"]
    result = compare(entries, **given, **({} if is_fitted else {"lifetimes": 1}))
    assert not result.failures
    ours, theirs = (result.metrics[entry]["all"]["reward"]["mean"] for entry in entries)
    assert ours == pytest.approx(theirs, abs=1e-12)
    if not is_fitted:
        for context, log in result.logs[entries[0]].items():
            np.testing.assert_array_equal(log.actions, result.logs[entries[1]][context].actions)


def test_as_it_stands_it_is_its_probabilities_whatever_is_answered(tmp_path):
    path = str(tmp_path / "router.npz")
    router = keep(path, "per_context_q")
    result = compare([path, f"first={path}"], n_sessions=3, length=10, table=TABLE)
    problem = seen_by("per_context_q")
    learner, judged = router.learner(problem), problem.queries_of("mixed")
    chances = np.stack([learner.action_probabilities(problem.observations[query]) for query in judged])
    expected = (chances * problem.reward_table.query_means[judged]).sum(axis=1)
    by_context = [expected[TABLE.query_contexts[judged] == number].mean() for number in range(3)]
    assert result.metrics[path]["all"]["reward"]["mean"] == pytest.approx(np.mean(by_context), abs=1e-12)
    row = result.document()["agents"][0]
    assert (row["protocol"], row["router"]["sha256"]) == ("saved", router.sha256)
    assert result.sources[path] == ("queries",)
    assert result.pairs[path]["first"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


@pytest.mark.parametrize("name", LEARNERS)
def test_copies_know_what_one_knows_and_go_on_by_themselves(name):
    problem, rng = seen_by(name, "nano"), np.random.default_rng(0)
    agent = make_agent(name, problem.task, seed=0)

    def feed(learner, number, rows):
        observation, action, reward = problem.observations[number], number % problem.task.n_actions, rng.normal()
        seen, asked, earned = (np.stack([value] * rows) if rows else value for value in (observation, action, reward))
        told = {"accuracy": earned * 0 + 0.5, "cost_usd": earned * 0 + 1e-5, "latency_s": earned * 0 + 0.1}
        learner.update(seen, asked, earned, told, np.full(rows, 0.25) if rows else 0.25)

    for number in range(30):
        feed(agent, number, 0)
    batch, single = agent.copies(3, seed=1), agent.copies(None, seed=2)
    observation = problem.observations[40]
    expected = agent.action_probabilities(observation)
    np.testing.assert_array_equal(single.action_probabilities(observation), expected)
    np.testing.assert_allclose(batch.action_probabilities(np.stack([observation] * 3)), [expected] * 3, atol=1e-12)
    for number in range(30, 40):
        feed(batch, number, 3)
    np.testing.assert_array_equal(agent.action_probabilities(observation), expected)


@pytest.mark.parametrize("protocol", ["", "@lifelong"])
def test_late_feedback_reaches_routers_that_learn_on(protocol, tmp_path):
    path = str(tmp_path / "router.npz")
    keep(path, "outcome_thompson")
    delays = [2, ("uniform", 0, 4)]
    results = [
        compare([path + protocol], n_sessions=2, length=10, table=TABLE, feedback_delay=delay) for delay in delays
    ]
    assert not any(result.failures for result in results)


@pytest.mark.parametrize("name", ["outcome_linear", "outcome_thompson", "outcome_ucb"])
def test_a_new_llm_joins_those_that_are_known(name, tmp_path):
    path = str(tmp_path / "router.npz")
    router = keep(path, name)
    small, large = router.learner(seen_by(name)), router.learner(seen_by(name, LARGER))
    assert large.task.llm_names == LARGER.llm_names
    assert large.n_updates == small.n_updates == N_TRAIN
    own, grown = small.state(), large.state()
    for array, values in own.items():
        if values.ndim == 3 and name != "outcome_linear":  # totals by LLM
            np.testing.assert_array_equal(grown[array][:, :4], values)
    grown_router = keep(tmp_path / "grown.npz", router, table=LARGER)
    assert (grown_router.learned.queries, grown_router.learned.routed) == (2 * N_TRAIN, N_TRAIN)
    result = compare([path, f"{path}@lifelong"], n_sessions=3, length=10, table=LARGER)
    assert not result.failures
    assert len(result.routing[path]["all"]) == 5


@pytest.mark.parametrize("name", ["uniroute", "llm_bandit"])
def test_a_fitted_router_is_shown_a_new_llm_on_the_train_split(name, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{agent_class(name).__module__}.{agent_class(name).__name__}.observation", "features")
    four = answers(4)
    router = keep(tmp_path / "router.npz", name, table=four)
    assert router.learner(seen_by(name, answers(5))).task.n_actions == 5
    grown = keep(tmp_path / "grown.npz", router, table=answers(5))
    assert grown.header["n_actions"] == 5
    with pytest.raises(ValueError, match="fitted once and for all"):
        train(router, table=four)
    with pytest.raises(ValueError, match="as the last ones, behind llm-0"):
        router.learner(seen_by(name, answers(5, first="new")))


def answers(n_llms: int, first: str = "llm-0", contexts=("art", "biology", "chess")) -> OutcomeTable:
    """Return a table whose LLMs cost no more the more there are; the first may be a new one."""
    asked, rng = queries(40, contexts), np.random.default_rng(0)
    names = [f"llm-{number}" for number in range(n_llms)]
    names = names if first in names else [first, *names[:-1]]
    shape = (len(asked), 5, 2)
    right = rng.integers(0, 2, shape)[:, :n_llms]
    return OutcomeTable.from_records(asked, names, records(asked, names, right, 1e-5, 0.1), {})


@pytest.mark.parametrize(
    ("name", "faced", "said"),
    [
        ("ucb1", {"table": LARGER}, "its ucb1 takes in no LLM: train another, or one that does .outcome_thompson"),
        ("ucb1", {"table": random_table(per_context=40, n_llms=3)}, "here there is no llm-3, but llm-0"),
        ("ucb1", {"table": TABLE, "reward": "additive"}, "learned the reward 'pickllm'.*not 'additive'"),
        ("ucb1", {"table": TABLE, "weights": (1, 0, 0.5)}, "weights .1.0, 0.5, 0.5., not"),
        ("ucb1", {"table": TABLE, "t_scaling": 2.0}, "t_scaling"),
        ("ucb1", {"table": TABLE, "cost_scale_usd": 1.0}, "are a cost of 1"),
        ("per_context_q", {"table": answers(4, contexts=("art", "biology", "law"))}, "the table .* has art, biology"),
        ("outcome_ucb", {"table": answers(4, contexts=("art", "biology"))}, "knows the contexts art, biology, chess"),
    ],
)
def test_what_it_did_not_learn_is_refused(name, faced, said, tmp_path):
    path = str(tmp_path / "router.npz")
    keep(path, name, **({"table": answers(4)} if name != "ucb1" else {}))
    for entry in (path, f"{path}@lifelong"):
        with pytest.raises(ValueError, match=said):
            compare([entry], n_sessions=2, length=5, **faced)


def test_other_prices_are_refused(tmp_path):
    router = keep(tmp_path / "router.npz", "ucb1", table="nano")
    dearer = replace(router.learned, prices=router.learned.prices | {"tiny-0.1m": [0.1, 0.2]})
    with pytest.raises(ValueError, match=r"prices of tiny-0\.1m"):
        replace(router, learned=dearer).learner(seen_by("ucb1", "nano"))


def test_vectors_that_mean_something_else_are_refused(tmp_path):
    """On a table with another hash: with the same vectors, with others, and without the query that shows which."""
    problem = RoutingProblem("nano", observation="embedding32")
    router = keep(tmp_path / "router.npz", "linucb", table="nano", n_queries=5)
    table = router.learned.table | {"sha256": "0" * 64}
    assert replace(router, learned=replace(router.learned, table=table)).learner(problem).n_updates == 5
    example = router.learned.example
    turned = example | {"observation": example["observation"][::-1]}
    absent = example | {"query_id": "nobody's"}
    for changed, said in ((turned, "are others than those"), (absent, 'lacks the query "nobody\'s"')):
        learned = replace(router.learned, table=table, example=changed)
        with pytest.raises(ValueError, match=said):
            replace(router, learned=learned).learner(problem)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda path: compare([path], split="train", table=TABLE), "can only be judged on the test split"),
        (lambda path: compare([f"{path}@logged"], table=TABLE), "takes no part as logged, only as saved or lifelong"),
        (lambda path: compare([path], table=TABLE, lifetimes=2), "none takes part"),
        (lambda path: compare([f"{path}@lifelong"], table=TABLE, lifetime_queries=2), "none takes part"),
        (lambda path: compare([path], parameters={path: {"c": 2}}, table=TABLE), "keeps the hyperparameters"),
        (lambda path: train("my_module:Mine", table=TABLE), "name no code that would be run"),
        (lambda path: train("ucb1", table=TABLE, n_queries=0), "1 or more and a whole number"),
        (lambda path: train("zero_router", table=TABLE, n_queries=3), "is fitted on every LLM's outcome"),
        (lambda path: train("uniroute", table=TABLE, log="x"), "uniroute learns nothing from a log"),
    ],
)
def test_what_cannot_be_is_refused(call, said, tmp_path):
    path = str(tmp_path / "router.npz")
    keep(path, "ucb1")
    with pytest.raises(ValueError, match=said):
        call(path)


def test_files_that_are_no_routers_are_refused(tmp_path):
    path = tmp_path / "router.npz"
    router = keep(path, "ucb1")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="is not an agent's checkpoint"):
        read_router(path)
    np.savez(path, **{"header.json": np.array({"agent": "ucb1"}, dtype=object)})  # a pickle inside
    with pytest.raises(ValueError, match="is not an agent's checkpoint"):
        read_router(path)
    router.learner(seen_by("ucb1")).save(path)
    with pytest.raises(ValueError, match="not what it learned on"):
        read_router(path)
    checkpoint.write(path, {**router.header, "about": router.header["about"] | {"agent": "os:system"}}, router.arrays)
    with pytest.raises(ValueError, match="os:system"):
        read_router(path)


def test_damaged_and_odd_files_are_used_or_refused(tmp_path):
    path = tmp_path / "router.npz"
    router = keep(path, "outcome_ucb", n_queries=5)
    whole, problem = path.read_bytes(), seen_by("outcome_ucb")

    for seed in range(150):
        path.write_bytes(damaged(whole, seed))
        read_or_refuse(lambda: read_router(path).learner(problem))
        checkpoint.write(path, {**router.header, "about": odd(router.header["about"], seed)}, router.arrays)
        read_or_refuse(lambda: read_router(path).learner(problem))


def test_a_log_is_learned_from_and_must_not_be_of_what_is_judged(tmp_path):
    from llm_routing_env.evaluation.step_logs import write_steps

    def logged(split):
        result = compare(["random"], n_sessions=1, length=8, table=TABLE, split=split, propensities=True)
        write_steps(result, tmp_path / f"{split}.parquet")
        return str(tmp_path / f"{split}.parquet")

    first = keep(tmp_path / "router.npz", "ucb1", log=logged("train"))
    assert (first.learned.queries, first.learned.routed) == (24, 0)
    more = keep(tmp_path / "router.npz", first, n_queries=5)
    assert (more.learned.queries, more.learned.routed) == (29, 5)
    with pytest.raises(ValueError, match="are of the test split"):
        train("ucb1", table=TABLE, log=logged("test"))


def test_the_document_says_which_file_it_was(tmp_path):
    path = str(tmp_path / "router.npz")
    router = keep(path, "outcome_ucb")
    result = compare([path, f"{path}@lifelong", "ucb1@lifelong"], n_sessions=3, length=10, table=TABLE)
    rows = json.loads(json.dumps(result.document()))["agents"]
    files = {row["name"]: row.get("router") for row in rows}
    assert files == {path: router.facts(), f"{path}@lifelong": router.facts(), "ucb1@lifelong": None}
    curves = result.life_curves
    assert (curves[f"{path}@lifelong"].n_past, curves["ucb1@lifelong"].n_past) == (0, N_TRAIN)
