"""Counts and seeds: what is a whole number, and which hyperparameters must be one."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.parts.whole import is_whole, require_whole

COUNTS = [
    *(("barp", "hidden_units"), ("barp", "n_steps"), ("epsilon_greedy_q", "commit_rounds")),
    *(("explore_then_commit", "pulls_per_arm"), ("hull_router", "n_samples"), ("ipo_router", "n_tried")),
    *(("knn_bandit", "capacity"), ("knn_bandit", "n_neighbours"), ("knn_router", "n_neighbours")),
    *(("matrix_factorisation", "rank"), ("mlp_router", "batch_size"), ("mlp_router", "hidden_units")),
    *(("mlp_router", "n_epochs"), ("neural_linear", "capacity"), ("neural_linear", "hidden_units")),
    *(("neural_linear", "refit_every"), ("neural_linear", "refit_steps"), ("pairwise_mf", "rank")),
    *(("pursuit", "initial_pulls"), ("sliding_window_ucb", "window"), ("uniroute", "n_clusters")),
]


@pytest.mark.parametrize("value", [2.5, 1e308, 2.0, float("nan"), True, "2"])
def test_only_whole_numbers_are(value):
    assert not is_whole(value, 0)
    with pytest.raises(ValueError, match="seed must be 0 or more and a whole number, got "):
        require_whole("seed", value, 0)


def test_they_have_a_least():
    assert is_whole(2, 2)
    assert is_whole(np.int64(2), 2)
    assert not is_whole(1, 2)


@pytest.mark.parametrize(("name", "count"), COUNTS)
@pytest.mark.parametrize("value", [2.5, 1e308, -1, True])
def test_a_count_that_is_not_whole_is_refused(name, count, value, make_task):
    with pytest.raises(ValueError, match=rf": {count} must be .*, got {value}\.".replace("+", r"\+")):
        make_agent(name, make_task(), **{count: value})
