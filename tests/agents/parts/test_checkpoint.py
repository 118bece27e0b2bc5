"""Checkpoints: refused when they do not fit, and never pickles."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from llm_routing_env.agents import Agent, agent_class, make_agent
from llm_routing_env.agents.parts import checkpoint
from llm_routing_env.agents.parts.state import Stateful

Automaton = agent_class("learning_automaton")


@pytest.fixture
def saved(make_task, tmp_path):
    path = tmp_path / "agent.checkpoint"
    make_agent("learning_automaton", make_task(), learning_rate=0.3).save(path)
    return path


class Learner(Agent):
    """Keeps one attribute that a test chooses, beside what a checkpoint can hold."""

    def __init__(self, task, *, seed=None, epsilon=0.1):
        super().__init__(task, seed=seed)
        self.epsilon = epsilon
        self.means = np.zeros(task.n_actions)
        self._names = list(task.llm_names)


class Part(Stateful):
    """Learns in a list."""

    def __init__(self):
        self.counts = [0, 0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", [10, 179, 5, 6]),
        ("n", {"a": 1.0}),
        ("n", 0.0),
        ("n", np.array(["a"], dtype=object)),
        ("net", object()),
    ],
)
def test_what_a_checkpoint_cannot_keep_is_refused_by_name(name, value, make_task, tmp_path):
    agent = Learner(make_task())
    agent.save(tmp_path / "agent.npz")
    setattr(agent, name, value)
    with pytest.raises(ValueError, match=rf"Learner cannot be saved: its attribute '{name}' .*public numpy arrays"):
        agent.save(tmp_path / "lost.npz")
    assert not (tmp_path / "lost.npz").exists()


def test_what_a_part_cannot_keep_is_refused_too(make_task, tmp_path):
    agent = Learner(make_task())
    agent.part = Part()
    with pytest.raises(ValueError, match="Part cannot be saved: its attribute 'counts'"):
        agent.save(tmp_path / "lost.npz")


def test_a_hyperparameter_that_is_not_kept_is_refused_by_name(make_task, tmp_path):
    agent = Learner(make_task(), epsilon=object())
    with pytest.raises(ValueError, match="Learner cannot be saved: keep the hyperparameter 'epsilon'"):
        agent.save(tmp_path / "lost.npz")
    del agent.epsilon
    with pytest.raises(ValueError, match="Learner cannot be saved: keep the hyperparameter 'epsilon'"):
        agent.save(tmp_path / "lost.npz")


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


def test_a_file_of_before_choices_were_counted_is_read(make_task, saved):
    agent = make_agent("learning_automaton", make_task())
    agent.update(None, 0, 0.5)
    agent.save(saved)
    header, arrays = checkpoint.read(saved)
    del arrays["n_selected"], header["n_actions"]
    checkpoint.write(saved, header, arrays)
    assert Automaton.load(saved, make_task()).n_selected.array == [1]


def test_another_number_of_actions_is_refused(saved, make_task):
    task = make_task(5, llm_names=make_task().llm_names, expected_cost_usd=make_task().expected_cost_usd)
    with pytest.raises(ValueError, match="number of actions 4; expected 5"):
        Automaton.load(saved, task)


def test_missing_arrays_are_refused(make_task):
    agent = make_agent("learning_automaton", make_task())
    state = agent.state()
    del state["probabilities"]
    with pytest.raises(ValueError, match=r"expected arrays .*'probabilities'"):
        agent.restore(state)


def rewritten(saved, **changes):
    """Write the checkpoint again with some of its header's values, or of its arrays, changed."""
    with np.load(saved) as archive:
        arrays = dict(archive)
    header = json.loads(arrays.pop("header.json").item())
    header |= {name: value for name, value in changes.items() if name in header}
    arrays |= {name: value for name, value in changes.items() if name not in header}
    checkpoint.write(saved, header, arrays)


@pytest.mark.parametrize(
    "changes",
    [
        {"llm_names": 4},
        {"n_sessions": "many"},
        {"n_sessions": 10**12},
        {"hyperparameters": []},
        {"hyperparameters": {"speed": 9}},
        {"hyperparameters": {"learning_rate": "fast"}},
        {"hyperparameters": {"learning_rate": 7}},
        {"generator": {}},
        {"generator": {"bit_generator": "PCG64", "state": {"state": -1, "inc": 0}, "has_uint32": 0, "uinteger": 0}},
        {"probabilities": np.array(["a"])},
        {"surplus": np.zeros(3)},
    ],
)
def test_a_file_whose_values_make_no_agent_is_refused(saved, make_task, changes):
    rewritten(saved, **changes)
    with pytest.raises(ValueError, match="is not an agent's checkpoint"):
        Automaton.load(saved, make_task())


def test_what_would_unpack_to_more_than_the_file_is_refused(saved, make_task):
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(10**8))
    assert saved.stat().st_size < 10**6
    with pytest.raises(ValueError, match="compressed, or larger than the file"):
        Automaton.load(saved, make_task())


def test_a_shape_that_claims_more_than_there_is_is_refused(saved, make_task):
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("bomb.npy", huge.getvalue())
    with pytest.raises(ValueError, match="another size than its shape"):
        Automaton.load(saved, make_task())


def test_a_pickle_inside_is_never_opened(saved, make_task, tmp_path):
    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "opened",))

    objects = io.BytesIO()
    np.save(objects, np.array([Payload()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("payload.npy", objects.getvalue())
    with pytest.raises(ValueError, match="is not an agent's checkpoint"):
        Automaton.load(saved, make_task())
    assert not (tmp_path / "opened").exists()
