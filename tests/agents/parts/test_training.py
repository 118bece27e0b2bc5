"""Training tables: refused where shapes disagree or numbers are not finite."""

import numpy as np
import pytest

from llm_routing_env.agents import TrainingTable


def fields(**changes):
    """Return the fields of a table of two queries and three LLMs."""
    grid = np.full((2, 3), 0.5)
    plain = {"observations": np.ones((2, 4)), "rewards": grid, "accuracy": grid, "cost_usd": grid, "latency_s": grid}
    return plain | changes


def test_numbers_become_floats():
    table = TrainingTable(**fields(rewards=[[0, 1, 2], [3, 4, 5]]))
    assert table.rewards.dtype == np.float64
    np.testing.assert_array_equal(table.rewards[1], [3, 4, 5])


def test_prompts_are_kept_as_texts():
    table = TrainingTable(**fields(observations=["What?", "Why is that?"]))
    assert (table.are_texts, table.observation_size) == (True, 0)
    assert table.observations.tolist() == ["What?", "Why is that?"]
    assert TrainingTable(**fields()).observation_size == 4
    with pytest.raises(ValueError, match=r"observations must be of shape \(2,\), got \(3,\)"):
        TrainingTable(**fields(observations=["a", "b", "c"]))


def test_prompts_tell_copies_from_queries_that_only_look_alike():
    assert TrainingTable(**fields()).groups.tolist() == [0, 0]
    table = TrainingTable(**fields(prompts=np.array([4, 1])))
    assert table.groups.tolist() == [1, 0]
    assert table.part(queries=[1, 1]).groups.tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"prompts must be 2 numbers, got shape \(3,\)"):
        TrainingTable(**fields(prompts=np.arange(3)))


@pytest.mark.parametrize("name", ["cost_usd", "latency_s"])
def test_a_measure_may_be_missing_altogether(name):
    missing = np.full((2, 3), np.nan)
    assert np.isnan(getattr(TrainingTable(**fields(**{name: missing})), name)).all()


HOLE = [[0.5, np.nan, 0.5], [0.5, 0.5, 0.25]]
WITH_HOLE = dict.fromkeys(("rewards", "accuracy", "cost_usd", "latency_s"), HOLE)


def test_a_query_need_not_have_been_asked_of_every_llm():
    table = TrainingTable(**fields(**WITH_HOLE))
    np.testing.assert_array_equal(table.has_cell, [[True, False, True], [True, True, True]])
    np.testing.assert_array_equal(table.means("rewards"), [0.5, 0.5, 0.375])
    unrecorded = np.full((2, 3), np.nan)
    assert np.isnan(TrainingTable(**fields(**(WITH_HOLE | {"cost_usd": unrecorded}))).means("cost_usd")).all()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"latency_s": np.ones((2, 3))},
            r"latency_s must be finite, got 1.0 in row 0, column 1; where a query was not",
        ),
        ({"rewards": np.ones((2, 3))}, r"accuracy must be finite, got nan in row 0, column 1"),
        (dict.fromkeys(WITH_HOLE, [[0.5, np.nan, 0.5]] * 2), "each LLM must have a training query, got none for LLM 1"),
    ],
)
def test_cells_that_are_there_in_part_and_llms_never_asked_are_refused(changes, problem):
    with pytest.raises(ValueError, match=f"TrainingTable: {problem}"):
        TrainingTable(**fields(**(WITH_HOLE | changes)))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rewards": np.ones(3)}, r"rewards must be of shape \(queries, LLMs\), not empty, got \(3,\)"),
        ({"rewards": np.ones((0, 3))}, r"rewards must be of shape \(queries, LLMs\), not empty, got \(0, 3\)"),
        ({"accuracy": np.ones((2, 2))}, r"accuracy must be of shape \(2, 3\), as the rewards are, got \(2, 2\)"),
        ({"observations": np.ones((3, 4))}, r"observations must be of shape \(2, size\), got \(3, 4\)"),
        ({"observations": np.ones(2)}, r"observations must be of shape \(2, size\), got \(2,\)"),
        ({"rewards": [[0, 0, 0], [0, np.inf, 0]]}, "rewards must be finite, got inf in row 1, column 1"),
        ({"accuracy": np.full((2, 3), np.nan)}, "accuracy must be finite, got nan in row 0, column 0"),
        ({"cost_usd": [[0, 0, 0], [0, 0, np.nan]]}, "cost_usd must be finite, got nan in row 1, column 2"),
        ({"objectives": np.zeros((2, 3))}, r"objectives must be of shape \(2, 3, 3\), got \(2, 3\)"),
        ({"objectives": np.full((2, 3, 3), np.inf)}, "objectives must be finite where a query was asked of an LLM"),
    ],
)
def test_bad_tables_are_refused(changes, problem):
    with pytest.raises(ValueError, match=f"TrainingTable: {problem}"):
        TrainingTable(**fields(**changes))


def test_a_part_has_some_of_the_queries_and_llms():
    accuracy = np.arange(6.0).reshape(2, 3) / 6
    table = TrainingTable(**fields(observations=[[1.0], [2.0]], accuracy=accuracy, weights=[0.5, 1.5]))
    np.testing.assert_array_equal(table.part(llms=[2, 0]).accuracy, accuracy[:, [2, 0]])
    last = table.part([1], slice(1, None))
    np.testing.assert_array_equal(last.weights, [1.5])
    np.testing.assert_array_equal(last.accuracy, accuracy[1:, 1:])
    np.testing.assert_array_equal(last.observations, [[2.0]])
    with pytest.raises(ValueError, match=r"rewards must be of shape \(queries, LLMs\), not empty"):
        table.part(slice(0))
