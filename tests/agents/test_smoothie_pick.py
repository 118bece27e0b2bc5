"""Smoothie pick: whom it asks, and whose answer it accepts."""

import numpy as np
import pytest
from asking_tables import asking_task, full_table

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.parts.ask_view import write_asks
from llm_routing_env.envs import PickLLMMultiEnv

SCORES = [[0.9, 0.1, 0.5, 0.2], [0.7, 0.3, 0.5, np.nan]]  # means 0.8, 0.2, 0.5, 0.2


def fitted(**parameters):
    agent = make_agent("smoothie_pick", asking_task(4, measures=("smoothie",)), **parameters)
    agent.fit(full_table(np.zeros((2, 4), dtype=int), np.zeros((2, 4)), measures={"smoothie": SCORES}))
    return agent


def seen(asked, scores, group=None):
    """Return an observation of who was asked in which order, and of the scores of their answers."""
    order = np.array([asked])
    group = order > 0 if group is None else np.array([group])
    shown = np.where(np.isnan(scores), -1.0, scores)[None]
    return np.append(0.0, write_asks(order, group.astype(int), group / 1.0, [shown], np.zeros(1, dtype=bool)))


def test_it_asks_all_by_how_far_they_err_and_accepts_the_best_answer():
    agent, unknown = fitted(), [np.nan] * 4
    asked = [0, 0, 0, 0]
    for number, llm in enumerate([0, 2, 1, 3], start=1):
        assert agent.select_action(seen(asked, unknown)) == llm
        asked[llm] = number
    assert agent.select_action(seen(asked, [-0.5, 0.25, 0.0, -0.2])) == 1


def test_of_a_size_it_asks_those_that_err_least():
    agent = fitted(size=3)
    assert agent.select_action(seen([1, 0, 2, 0], [np.nan] * 4)) == 1
    assert agent.select_action(seen([1, 3, 2, 0], [-0.9, -0.95, -0.8, np.nan])) == 2


def test_where_nothing_is_known_it_takes_the_first_that_answered():
    agent = fitted()
    assert agent.select_action(seen([1, 3, 2, 4], [np.nan] * 4, group=[0, 1, 1, 0])) == 2
    assert agent.select_action(seen([1, 3, 2, 4], [np.nan] * 4, group=[0, 0, 0, 0])) == 0


@pytest.mark.parametrize("size", [2, 5, True, "3", 3.0])
def test_a_size_that_is_none_is_refused(size: object):
    with pytest.raises(ValueError, match="size must be None, or 3 to 4"):
        make_agent("smoothie_pick", asking_task(4, measures=("smoothie",)), size=size)


def test_an_environment_that_shows_no_such_measure_is_refused_with_the_one_that_does():
    task = PickLLMMultiEnv().task
    with pytest.raises(ValueError, match=r"one that shows the measures \('smoothie',\), got \(\)"):
        make_agent("smoothie_pick", task)
    task = PickLLMMultiEnv(observation="context", measures=("smoothie",)).task
    expected = r"gym.make\(\"PickLLM-Multi-v0\", observation='embedding', measures=\('smoothie',\)\)"
    with pytest.raises(ValueError, match=expected):
        make_agent("smoothie_pick", task)
