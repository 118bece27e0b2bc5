"""Checkpoints of agents that are damaged or odd."""

import io
import tracemalloc
import zipfile
from random import Random

import numpy as np
import pytest
from mutations import damaged, fuzz, odd, read_or_refuse

from llm_routing_env.agents import AGENTS, agent_class, make_agent
from llm_routing_env.agents.parts import checkpoint
from llm_routing_env.agents.parts.task import RoutingTask

TASK = RoutingTask(
    n_actions=3,
    observation_size=3,
    llm_names=("a", "b", "c"),
    expected_cost_usd=(1e-3, 2e-3, 3e-3),
    reward_bounds=(0.0, 1.0),
    reward=lambda accuracy, cost, latency: accuracy - cost - latency,
)
FUZZED = ("learning_automaton", "lin_ts")


@pytest.fixture(params=FUZZED)
def saved(request, tmp_path):
    """Return an agent's class and its checkpoint."""
    agent = make_agent(request.param, TASK, n_sessions=2, seed=0)
    agent.update(np.ones((2, 3)), [0, 1], [0.5, 1.0])
    agent.save(tmp_path / "agent")
    return agent_class(request.param), tmp_path / "agent"


def test_damaged_checkpoints_are_read_or_refused(saved):
    kind, path = saved
    whole = path.read_bytes()

    def check(seed):
        path.write_bytes(damaged(whole, seed))
        read_or_refuse(lambda: kind.load(path, TASK))

    fuzz(check)


def test_odd_headers_are_read_or_refused(saved):
    kind, path = saved
    header, arrays = checkpoint.read(path)

    def check(seed):
        checkpoint.write(path, odd(header, seed), arrays)
        read_or_refuse(lambda: kind.load(path, TASK))

    fuzz(check)


def test_damaged_arrays_with_fitting_checksums_are_read_or_refused(saved):
    kind, path = saved
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def check(seed):
        rng = Random(seed)
        chosen = rng.choice(list(members))
        compression = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in members.items():
                archive.writestr(name, damaged(content, seed) if name == chosen else content)
        read_or_refuse(lambda: kind.load(path, TASK))

    fuzz(check)


def test_any_array_in_place_of_the_header_is_refused(saved):
    kind, path = saved
    for array in (np.zeros(3), np.array(["{}", "{}"]), np.array("{}"), np.array("[" * 10**5), np.array(b"{}")):
        content = io.BytesIO()
        np.savez(content, **{"header.json": array})
        path.write_bytes(content.getvalue())
        assert read_or_refuse(lambda: kind.load(path, TASK)) is None


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_no_header_makes_an_agent_take_more_memory_than_its_file_explains(name, tmp_path):
    agent = make_agent(name, TASK, n_sessions=2, seed=0)
    agent.save(tmp_path / "agent")
    header, arrays = checkpoint.read(tmp_path / "agent")
    sizes = [key for key, value in header["hyperparameters"].items() if type(value) is int]
    for key in sizes:
        huge = header | {"hyperparameters": header["hyperparameters"] | {key: 20_000}}
        checkpoint.write(tmp_path / "huge", huge, arrays)
        tracemalloc.start()  # numpy reports what it takes
        read_or_refuse(lambda: agent_class(name).load(tmp_path / "huge", TASK))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 50e6, key
