"""Best of n: with a verifier that is never wrong, and with one that knows nothing, it is as right as theory says."""

from dataclasses import replace

import numpy as np
import pytest
from asking_tables import asking_task, full_table

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.parts.ask_view import AskView, write_asks

N = 40_000
MEASURES = ("matching",)


def accuracy_of(n: int, scores: np.ndarray, right: np.ndarray) -> float:
    """Return how often the accepted answer is right, with n of four LLMs asked."""
    agent = make_agent("best_of_n", asking_task(4, measures=MEASURES), n_sessions=len(right), n=n)
    table = full_table(np.zeros((2, 4), dtype=int), np.zeros((2, 4)), measures={"matching": np.zeros((2, 4))})
    agent.fit(table)  # all alike: asked in their order
    order = np.tile(np.where(np.arange(4) < n, np.arange(4) + 1, 0), (len(right), 1))
    shown = np.where(order > 0, scores, -1.0)
    asks = write_asks(order, (order > 0).astype(int), (order > 0) / 1.0, [shown], np.zeros(len(right), dtype=bool))
    accepted = agent._ask(AskView(np.concatenate([np.zeros((len(right), 1)), asks], axis=1), 4, MEASURES))
    return float(right[np.arange(len(right)), accepted].mean())


@pytest.mark.parametrize(("n", "best"), [(1, 0.5), (2, 0.75), (4, 0.9375)])
def test_of_n_answers_that_are_right_half_of_the_time(n: int, best: float):
    rng = np.random.default_rng(0)
    right = rng.random((N, 4)) < 0.5
    assert accuracy_of(n, np.where(right, 0.5, -0.5), right) == pytest.approx(best, abs=0.01)
    assert accuracy_of(n, rng.uniform(-0.9, 0.9, (N, 4)), right) == pytest.approx(0.5, abs=0.01)


def test_it_asks_the_best_matching_first_and_of_one_it_is_a_router():
    scores = [[0.1, 0.9, 0.5], [0.1, 0.7, 0.5]]
    agent = make_agent("best_of_n", asking_task(3, measures=MEASURES), n=1)
    agent.fit(full_table(np.zeros((2, 3), dtype=int), np.zeros((2, 3)), measures={"matching": scores}))
    assert agent.order.tolist() == [1, 2, 0]
    nobody = np.zeros(1 + 3 * 4 + 1)
    assert agent.select_action(nobody) == 1
    one = np.array([[0, 1, 0]])
    asked = write_asks(one, one, one / 1.0, [np.full((1, 3), -1.0)], np.zeros(1, dtype=bool))
    assert agent.select_action(np.append(0.0, asked)) == 1


@pytest.mark.parametrize("n", [0, 4, True, "2", 1.5])
def test_a_number_that_is_none_is_refused(n: object):
    with pytest.raises(ValueError, match="n must be from 1 to 3, the LLMs"):
        make_agent("best_of_n", asking_task(3, measures=MEASURES), n=n)


def test_a_table_without_the_measure_is_refused():
    agent = make_agent("best_of_n", asking_task(2, measures=MEASURES))
    with pytest.raises(ValueError, match=r"training_table.measures must be with 'matching', got \[\]"):
        agent.fit(full_table([[0, 1]], [[1, 0]]))


def test_an_llm_whose_calls_fail_is_not_judged_by_the_others_alone():
    scores = np.full((10, 2), -0.2)
    scores[:, 0] = [0.9] + [np.nan] * 9
    table = full_table(np.zeros((10, 2), dtype=int), np.zeros((10, 2)), measures={"matching": scores})
    failed = np.zeros((10, 2), dtype=bool)
    failed[1:, 0] = True
    agent = make_agent("best_of_n", asking_task(2, measures=MEASURES), n=1)
    agent.fit(replace(table, failed=failed))
    assert agent.order.tolist() == [1, 0]  # (0.9 - 9) / 10 = -0.81 against -0.2
