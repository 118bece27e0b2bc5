"""Checkpoints: refused when they do not fit, and never pickles."""

import json

import numpy as np
import pytest

from llm_routing_env.agents import agent_class, make_agent

Automaton = agent_class("learning_automaton")


@pytest.fixture
def saved(make_task, tmp_path):
    path = tmp_path / "agent.checkpoint"
    make_agent("learning_automaton", make_task(), learning_rate=0.3).save(path)
    return path


def test_file_keeps_its_name_and_holds_no_objects(saved):
    with np.load(saved, allow_pickle=False) as archive:
        header = json.loads(archive["header.json"].item())
        assert header["agent"] == "LearningAutomaton"
        assert header["hyperparameters"]["learning_rate"] == 0.3
        np.testing.assert_array_equal(archive["probabilities"], np.full((1, 4), 0.25))


def test_hyperparameters_come_back(saved, make_task):
    assert Automaton.load(saved, make_task()).learning_rate == 0.3


def test_another_agent_is_refused(saved, make_task):
    with pytest.raises(ValueError, match="agent 'LearningAutomaton'; expected 'EpsilonGreedyQ'"):
        agent_class("epsilon_greedy_q").load(saved, make_task())


def test_another_number_of_arms_is_refused(saved, make_task):
    with pytest.raises(ValueError, match="number of LLMs 4; expected 3"):
        Automaton.load(saved, make_task(3))


def test_other_llms_are_refused(saved, make_task):
    with pytest.raises(ValueError, match="llm_names"):
        Automaton.load(saved, make_task(llm_names=("a", "b", "c", "d")))


def test_other_files_are_refused(tmp_path, make_task):
    other = tmp_path / "notes.txt"
    other.write_text("not an agent")
    with pytest.raises(ValueError, match="is not an agent's checkpoint"):
        Automaton.load(other, make_task())


def test_missing_arrays_are_refused(make_task):
    agent = make_agent("learning_automaton", make_task())
    state = agent.state()
    del state["probabilities"]
    with pytest.raises(ValueError, match=r"expected arrays .*'probabilities'"):
        agent.restore(state)
