"""What is seen of a query: what every encoder holds to, one's own, several joined, arrays, and what is refused."""

from pathlib import Path

import gymnasium as gym
import my_encoders
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from tables import queries, random_table, records, write_random_table

import llm_routing_env  # noqa: F401  registers PickLLM-v0
from llm_routing_env.agents import make_agent
from llm_routing_env.agents.parts.task import PROMPT
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.observations.encoders import ENCODERS
from llm_routing_env.observations.observed import kind_of, observation_size, observe, space_of
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table(per_context=4)
JOINED = "context+embedding32"
OWN = "my_encoders:lengths"


@pytest.fixture
def table(tmp_path: Path) -> OutcomeTable:
    return OutcomeTable.read(write_random_table(tmp_path))


@pytest.mark.parametrize("kind", [*ENCODERS, JOINED, OWN, f"{OWN}+context"])
def test_every_observation_is_a_row_per_query_of_its_space(table, kind):
    seen = observe(table, kind)
    assert len(seen) == table.n_queries
    assert not seen.flags.writeable
    assert observe(table, kind) is seen  # made once
    space = space_of(seen)
    assert all(space.contains(row) for row in seen)
    if kind == PROMPT:
        assert observation_size(seen) == 0
        return
    assert seen.dtype == np.float32
    assert seen.shape == (table.n_queries, observation_size(seen))
    assert np.isfinite(seen).all()


@pytest.mark.parametrize("kind", [*(kind for kind in ENCODERS if kind != PROMPT), JOINED])
def test_registered_vectors_lie_between_minus_one_and_one(table, kind):
    space = space_of(observe(table, kind))
    assert space == spaces.Box(-1.0, 1.0, space.shape, np.float32)


def test_contexts_constants_features_and_texts_by_hand():
    asked = queries(1, ["art", "chess"])
    table = OutcomeTable.from_records(asked, ["a"], records(asked, ["a"], 1.0, 1e-5, [0.1]), {})
    np.testing.assert_array_equal(observe(table, "context"), [[1, 0], [0, 1]])
    np.testing.assert_array_equal(observe(table, "none"), [[1], [1]])
    assert observe(table, PROMPT).tolist() == ["art question 0?", "chess question 0?"]
    # 15 characters in 3 words, one of them a digit, one a question mark, no line, no bracket, nothing foreign
    expected = [1, 0.015, 3 / 200, 15 / 3 / 20, 1 / 15, 0, 1 / 15, 0, 0, 0, 0, 1]
    np.testing.assert_allclose(observe(table, "features")[0], expected, rtol=1e-6)


def test_joined_observations_stand_side_by_side(table):
    joined = observe(table, JOINED)
    np.testing.assert_array_equal(joined[:, :3], observe(table, "context"))
    np.testing.assert_array_equal(joined[:, 3:], observe(table, "embedding32"))


def test_an_encoder_of_ones_own_by_module_and_function():
    seen = observe(TABLE, OWN)
    assert seen[:, 0].tolist() == [len(query.prompt) for query in TABLE.queries]
    longest = max(len(query.prompt) for query in TABLE.queries)
    assert space_of(seen) == spaces.Box(-1.0, longest, (2,), np.float32)
    assert space_of(observe(TABLE, "my_encoders:small")) == spaces.Box(-1.0, 1.0, (1,), np.float32)


def test_a_function_that_was_replaced_is_asked_again(monkeypatch):
    observe(TABLE, "my_encoders:small")
    monkeypatch.setattr(my_encoders, "small", my_encoders.lengths)
    np.testing.assert_array_equal(observe(TABLE, "my_encoders:small"), observe(TABLE, OWN))


def test_an_array_is_taken_as_it_is_and_not_changed_later():
    given = np.arange(TABLE.n_queries * 3).reshape(-1, 3) - 5
    seen = observe(TABLE, given)
    np.testing.assert_array_equal(seen, given)
    given[0] = 99
    assert seen[0, 0] == -5
    assert not seen.flags.writeable
    assert space_of(seen) == spaces.Box(-5.0, TABLE.n_queries * 3 - 6, (3,), np.float32)


@pytest.mark.parametrize("observation", [OWN, f"{OWN}+context", my_encoders.lengths(TABLE)])
def test_environments_give_it(observation):
    seen = observe(TABLE, observation)
    env = gym.make("PickLLM-v0", table=TABLE, observation=observation)
    check_env(env.unwrapped)
    first, info = env.reset(seed=0)
    np.testing.assert_array_equal(first, seen[TABLE.query_ids.index(info["query_id"])])
    vector = gym.make_vec("PickLLM-v0", num_envs=2, table=TABLE, observation=observation)
    np.testing.assert_array_equal(vector.reset(seed=0)[0][0], first)
    assert vector.single_observation_space == env.observation_space


def test_tasks_name_it():
    array = np.ones((TABLE.n_queries, 5))
    assert kind_of(array) == "array"
    problem = RoutingProblem(TABLE, observation=array)
    assert (problem.task.observation, problem.task.observation_size) == ("array", 5)
    assert problem.task_seeing("array") is problem.task
    joined = problem.task_seeing("context+features")
    assert (joined.observation, joined.observation_size) == ("context+features", 15)
    assert problem.task_seeing(OWN).observation == OWN
    assert make_agent("linucb", problem.task, observation="array").observation == "array"
    with pytest.raises(ValueError, match="the environment gives 'array'"):
        make_agent("per_context_q", problem.task)


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (
            "contexts",
            r"Unknown observation 'contexts'. Did you mean 'context'\? Known: emb.*Joined: .*Your own",
        ),
        ("context+", "Unknown observation ''"),
        ("", "Unknown observation ''"),
        ("array", "Unknown observation 'array'"),
        ("context+prompt", 'the text of "prompt" cannot be joined with numbers'),
        ("prompt+prompt", "cannot be joined"),
        ("embedding", "has no embeddings beside it"),
        ("no_such_module:encode", "Cannot load observation 'no_such_module:encode': No module named"),
        ("my_encoders:missing", "Cannot load observation 'my_encoders:missing'"),
        ("my_encoders:NUMBER", "'my_encoders:NUMBER' must be a function of an outcome table, got 3"),
        (
            "my_encoders:one_row_less",
            r"'my_encoders:one_row_less' must be finite numbers of shape \(12 queries, size\), got shape \(11, 2\)",
        ),
        ("my_encoders:flat", r"got shape \(12,\)"),
        ("my_encoders:empty", r"got shape \(12, 0\)"),
        ("my_encoders:endless", "got inf for query 2 at place 1"),
        ("my_encoders:huge", r"got 1\.\d+e\+301 for query 0 at place 0"),
        ("my_encoders:texts", "got list of <U"),
        ("my_encoders:ragged", r"encoder 'my_encoders:ragged' must be .*: setting an array element"),
        ("my_encoders:nothing", "got NoneType of object"),
        ("context+my_encoders:flat", "encoder 'my_encoders:flat' must be"),
        (np.ones((3, 2)), r"of the array must be .*\(12 queries, size\), got shape \(3, 2\)"),
        (np.full((12, 1), np.nan), "of the array .* got nan for query 0 at place 0"),
        (np.array(["a"] * 12), "of the array .* got ndarray of <U1"),
        (None, "got NoneType of object"),
    ],
)
def test_what_cannot_be_seen_is_refused(observation, message):
    with pytest.raises(ValueError, match=message):
        observe(TABLE, observation)
