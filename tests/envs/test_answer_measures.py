"""What is seen of answers beside agreement: scores that need no reference, and nothing of who was not asked."""

import numpy as np
import pytest
from asking_tables import embedded_table

from llm_routing_env.agents.parts.ask_view import AskView
from llm_routing_env.agents.parts.consensus import estimated_errors
from llm_routing_env.envs import PickLLMMultiEnv, PickLLMMultiVectorEnv
from llm_routing_env.envs.asking_table import asking_table
from llm_routing_env.rewards.reference_free import matching, response_distances

BOTH = ("smoothie", "matching")


def test_an_answer_is_compared_with_those_that_were_asked_only():
    env = PickLLMMultiEnv(embedded_table(), observation="none", measures=BOTH, n_queries=20)
    observation, _ = env.reset(seed=0)
    distances, matches = response_distances(env.problem.table), matching(env.problem.table)
    failed = env.problem.table.failed
    for number in range(20):
        asked = [(number + shift) % 4 for shift in range(4)]
        row, _, repeat = env.problem.cells.index(env.waiting_cell)
        for count in range(1, 5):
            observation, *_ = env.step(asked[count - 1])
            view = AskView(observation, 4, BOTH)
            there = np.isin(np.arange(4), asked[:count]) & ~failed[row, :, repeat]
            among = np.where(there[:, None] & there, distances[row, repeat], np.nan)
            # Who is as far as can be is seen as such: -1 would be nothing at all.
            scores = np.maximum(2 * np.clip(1 - estimated_errors(among) / 2, 0, 1) - 1, -0.999999)
            np.testing.assert_allclose(view.measures["smoothie"][0], scores, atol=1e-6)
            matched = np.where(there, np.maximum(2 * matches[row, :, repeat] - 1, -0.999999), np.nan)
            np.testing.assert_allclose(view.measures["matching"][0], matched, atol=1e-6)
        env.step(4)
        if number == 18:
            break


def test_parallel_answers_are_hidden_until_they_come():
    env = PickLLMMultiEnv(embedded_table(), observation="none", measures=BOTH, parallel=True)
    env.reset(seed=0)
    for llm in range(4):
        observation, *_ = env.step(llm)
        assert all(np.isnan(values).all() for values in AskView(observation, 4, BOTH).measures.values())
    observation, *_ = env.step(0)
    assert any((~np.isnan(values)).any() for values in AskView(observation, 4, BOTH).measures.values())


def test_many_sessions_see_what_one_sees():
    many = PickLLMMultiVectorEnv(3, "DISABLED", embedded_table(), observation="context", measures=BOTH)
    ones = [PickLLMMultiEnv(embedded_table(), observation="context", measures=BOTH) for _ in range(3)]
    seen, _ = many.reset(seed=7)
    np.testing.assert_array_equal(seen, [one.reset(seed=7 + row)[0] for row, one in enumerate(ones)])
    rng = np.random.default_rng(0)
    for _ in range(40):
        actions = rng.integers(5, size=3)
        seen, *_ = many.step(actions)
        np.testing.assert_array_equal(seen, [one.step(action)[0] for one, action in zip(ones, actions, strict=True)])


def test_what_is_fitted_on_is_what_is_seen_once_all_were_asked():
    options = {"observation": "none", "measures": ("confidence", *BOTH), "split": "train"}
    env = PickLLMMultiEnv(embedded_table(), n_queries=30, **options)
    table, train = asking_table(env.problem, options["measures"]), env.problem.table.select(None, "train")
    env.reset(seed=0)
    for _ in range(10):
        row, _, repeat = env.problem.cells.index(env.waiting_cell)
        for llm in range(4):
            observation, *_ = env.step(llm)
        place = int(np.flatnonzero(train == row)[0]) * 2 + repeat
        for name, values in AskView(observation, 4, options["measures"]).measures.items():
            np.testing.assert_allclose(values[0], table.measures[name][place], atol=1e-6)
        env.step(4)


def test_an_outage_is_no_answer():
    outage = [{"event": "outage", "llm": "llm-0", "step": 0, "hidden": True}]
    env = PickLLMMultiEnv(embedded_table(), observation="none", measures=BOTH, scenario=outage)
    env.reset(seed=0)
    for llm in range(4):
        observation, *_ = env.step(llm)
    assert all(np.isnan(values[0, 0]) for values in AskView(observation, 4, BOTH).measures.values())


def test_an_unknown_measure_is_named():
    known = "Unknown measure 'smothie'. Did you mean 'smoothie'\\? Known: confidence, smoothie, matching"
    with pytest.raises(ValueError, match=known):
        PickLLMMultiEnv(embedded_table(), observation="none", measures=("smothie",))
