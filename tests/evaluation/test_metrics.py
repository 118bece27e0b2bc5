"""Measures of whole sessions, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from llm_routing_env.evaluation.metrics import OF_SESSIONS, of_sessions, queries_to_commit
from llm_routing_env.evaluation.sessions import SessionLog

LOG = SessionLog(
    actions=np.array([[0, 1], [1, 1], [2, 2]]),
    rewards=np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]]),
    measures={},
    final_probabilities=np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    commit_steps=np.array([np.nan, 1.0, 0.0]),
    commitments=np.array([-1, 1, 2]),
)
EXPECTED = np.array([0.5, 0.3, 0.49])
AT_THE_END = np.tile(EXPECTED, (3, 1))


def test_measures_by_hand():
    expected = {
        "committed": [0.0, 1.0, 1.0],
        "wrong_commit": [0.0, 1.0, 1.0],
        "within_0.02_of_best": [0.8, 0.0, 1.0],  # LLMs 0 and 2 are within 0.02 of the best
        "sessions_above_best_fixed": [1.0, 0.0, 0.5],
    }
    found = of_sessions(LOG, EXPECTED, AT_THE_END, best_fixed=np.array([0.25, 0.75, 0.5]))
    assert found.keys() == expected.keys() == set(OF_SESSIONS)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, err_msg=name)


def test_the_best_llm_at_the_end_is_the_best_that_can_be_asked_then():
    at_the_end = np.array([[np.nan, 0.3, 0.49], [0.5, np.nan, np.nan], [0.1, 0.2, 0.3]])
    found = of_sessions(LOG, np.array([np.nan, 0.3, 0.2]), at_the_end, best_fixed=np.zeros(3))
    np.testing.assert_allclose(found["within_0.02_of_best"], [0.1, 0.0, 1.0])
    np.testing.assert_array_equal(found["wrong_commit"], [0, 0, 1])  # of the first LLM nothing is known


def test_a_session_that_does_not_commit_is_not_wrong():
    wrong = of_sessions(LOG, EXPECTED, AT_THE_END, best_fixed=np.zeros(3))["wrong_commit"]
    assert wrong[0] == 0.0


def test_llms_that_are_equally_good_are_all_the_right_one():
    tied = of_sessions(LOG, np.array([0.5, 0.5, 0.5 - 1e-12]), AT_THE_END, best_fixed=np.zeros(3))
    assert tied["wrong_commit"].tolist() == [0.0, 0.0, 0.0]


def test_an_agent_that_committed_before_it_was_asked_took_no_query():
    assert queries_to_commit(LOG).tolist() == [np.inf, 1.0, 0.0]


@pytest.mark.parametrize("share", [np.nan])
def test_where_probabilities_are_not_known_neither_is_their_mass(share: float):
    unknown = replace(LOG, final_probabilities=np.full((3, 3), share))
    assert np.isnan(of_sessions(unknown, EXPECTED, AT_THE_END, np.zeros(3))["within_0.02_of_best"]).all()
