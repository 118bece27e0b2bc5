"""Live sessions with a budget and a journal: they end when it is used up, and ask nothing twice."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import journal_files
import numpy as np
import pytest
from counting_server import CountingServer, counting_server
from faulty_server import FaultyServer, faulty_server
from tables import random_table

from llm_routing_env.backends import TableBackend, asked_llm, journal_file, lanes, make_backend
from llm_routing_env.backends.budget import Budget
from llm_routing_env.envs import PickLLMEnv, PickLLMLiveVectorEnv
from llm_routing_env.pools.pool import LLMSpec, Pool

TABLE = random_table()
COST_USD = 10 + 2 * 2  # of each answer of the counting server, at 1 USD a token read and 2 USD a token written
REFUSAL = "the budget of 3 requests is used up"


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server() as running:
        yield running


def pool_of(server: CountingServer | FaultyServer, **fields: Any) -> Pool:
    llms = tuple(LLMSpec(name, 1e6, 2e6, base_url=server.base_url, max_tokens=5) for name in TABLE.llm_names)
    return Pool("counted", llms, **fields)


def scalar(server: CountingServer, **arguments: Any) -> PickLLMEnv:
    arguments = {"backend": "vllm", "pool": pool_of(server), "observation": "none", "context": "art", **arguments}
    return PickLLMEnv(TABLE, **arguments)


def vector(server: CountingServer | FaultyServer, num_envs: int, **arguments: Any) -> PickLLMLiveVectorEnv:
    arguments = {"pool": pool_of(server), "observation": "none", "context": "art", "info": "full", **arguments}
    return PickLLMLiveVectorEnv(num_envs, **{"table": TABLE, "autoreset_mode": "DISABLED", **arguments})


@pytest.mark.parametrize("info", ["full", "numbers", "none"])
def test_a_session_terminates_when_its_budget_is_used_up_and_so_does_every_later_one(server: CountingServer, info: str):
    env = scalar(server, max_requests=3, info=info)
    env.reset(seed=0)
    for number in range(1, 4):
        _, _, terminated, truncated, said = env.step(number)
        assert not terminated
        assert not truncated
        assert info == "none" or said["spent_usd"] == number * COST_USD
    waiting = env.step(0)[0]
    for _ in range(2):
        for _ in range(2):
            observation, reward, terminated, truncated, said = env.step(0)
            assert (terminated, truncated, reward) == (True, False, env.task.reward_bounds[0])
            assert said["error"] == REFUSAL
            assert info == "none" or said["spent_usd"] == 3 * COST_USD
            np.testing.assert_array_equal(observation, waiting)
        waiting, _ = env.reset()
    env.close()
    assert len(server.answers) == 3


def test_a_session_terminates_before_the_worst_case_exceeds_the_money_left(server: CountingServer):
    worst_usd = max(len(query.prompt) for query in TABLE.queries) + 256 + 2 * 5
    env = scalar(server, max_usd=worst_usd + 2 * COST_USD)
    env.reset(seed=0)
    steps = [env.step(0) for _ in range(4)]
    env.close()
    assert [terminated for _, _, terminated, _, _ in steps] == [False, False, False, True]
    assert f"${worst_usd + 2 * COST_USD:g} is used up: ${3 * COST_USD} are spent" in steps[3][4]["error"]


@pytest.mark.parametrize("mode", ["DISABLED", "SAME_STEP", "NEXT_STEP"])
def test_each_session_of_a_vector_terminates_when_it_is_refused(server: CountingServer, mode: str):
    env = vector(server, 2, max_requests=3, autoreset_mode=mode)
    env.reset(seed=0)
    assert not env.step(np.array([0, 1]))[2].any()
    _, rewards, terminated, truncated, info = env.step(np.array([2, 3]))
    info = info["final_info"] if mode == "SAME_STEP" else info
    assert terminated.tolist() == [False, True]
    assert not truncated.any()
    assert rewards[1] == env.task.reward_bounds[0]
    assert info["error"][1] == REFUSAL
    assert info["spent_usd"][1] == 3 * COST_USD
    if mode == "DISABLED":
        with pytest.raises(RuntimeError, match="Session 1 has ended"):
            env.step(np.array([0, 0]))
        env.reset(options={"reset_mask": np.array([False, True])})
    elif mode == "NEXT_STEP":
        assert env.step(np.array([0, 0]))[2].tolist() == [True, False]  # the second starts anew
        assert env.step(np.array([0, 0]))[2].tolist() == [False, True]
    if mode != "NEXT_STEP":
        assert env.step(np.array([0, 0]))[2].all()
    env.close()
    assert len(server.answers) == 3


def run(env: PickLLMLiveVectorEnv, n_steps: int = 12) -> list[Any]:
    """Return what sessions of a fixed policy see, but not when."""
    env.reset(seed=3)
    said = []
    for number in range(n_steps):
        _, rewards, terminated, truncated, info = env.step(np.arange(env.num_envs) % 4)
        said.append((rewards.tolist(), terminated.tolist(), truncated.tolist(), info["response"].tolist()))
        if truncated.any():
            env.reset(seed=number)
    env.close()
    return said


def test_a_resumed_vector_gives_what_the_journal_has_and_asks_for_the_rest(server: CountingServer, tmp_path: Path):
    arguments: dict[str, Any] = {"journal": tmp_path / "j", "max_episode_steps": 5}
    first = run(vector(server, 6, **arguments))
    assert len(server.answers) == 6 * 12
    again = run(vector(server, 6, resume=True, max_requests=6 * 12, **arguments))
    assert again == first  # latencies included, of which the rewards are made
    assert len(server.answers) == 6 * 12
    more = run(vector(server, 6, resume=True, **arguments), n_steps=14)
    assert more[:12] == first
    assert len(server.answers) == 6 * 14


def test_a_resumed_session_goes_on_and_counts_what_was_spent(server: CountingServer, tmp_path: Path):
    seen = []
    for resume in (False, True):
        env = scalar(server, journal=str(tmp_path / "j"), resume=resume, max_requests=4)
        env.reset(seed=1)
        seen.append([env.step(number)[4] for number in range(3)])
        assert seen[-1][2]["spent_usd"] == 3 * COST_USD
        env.close()
    assert [info["response"] for info in seen[0]] == [info["response"] for info in seen[1]]
    assert len(server.answers) == 3
    env = scalar(server, journal=str(tmp_path / "j"), resume=True, max_requests=4)
    env.reset(seed=2)
    assert [env.step(3)[2] for _ in range(2)] == [False, True]  # one request is left
    env.close()


def test_two_environments_cannot_have_one_journal(server: CountingServer, tmp_path: Path):
    env = scalar(server, journal=tmp_path / "j")
    with pytest.raises(ValueError, match="another process is recording into this journal"):
        scalar(server, journal=tmp_path / "j", resume=True)
    env.close()
    with pytest.raises(ValueError, match="resume=True"):
        scalar(server, journal=tmp_path / "j")
    hotter = pool_of(server)
    hotter = replace(hotter, llms=(replace(hotter.llms[0], request={"temperature": 1}), *hotter.llms[1:]))
    for _ in range(2):  # the refused one lets go of the journal
        with pytest.raises(ValueError, match="outcomes of 'llm-0' with temperature 0, now it is 1, which answers"):
            scalar(server, journal=tmp_path / "j", resume=True, pool=hotter)
    scalar(server, journal=tmp_path / "j", resume=True).close()


def test_a_resumed_session_may_have_another_deadline_and_more_requests_in_flight(
    server: CountingServer, tmp_path: Path
):
    first = run(vector(server, 6, journal=tmp_path / "j"))
    again = vector(
        server,
        6,
        journal=tmp_path / "j",
        resume=True,
        pool=pool_of(server, deadline_s=9.0, max_retries=7),
        max_in_flight=1,
    )
    assert run(again) == first
    assert len(server.answers) == 6 * 12


@pytest.mark.parametrize("name", ["j", "j.jsonl"])
def test_a_journal_of_an_earlier_version_is_refused(server: CountingServer, tmp_path: Path, name: str):
    (tmp_path / name).write_text('{"journal": 3, "pool": {}, "crc32": 1}\n')
    for resume in (False, True):
        with pytest.raises(ValueError, match="of an earlier version: `pickllm export journal"):
            scalar(server, journal=tmp_path / "j", resume=resume)


def test_a_backend_that_is_given_brings_its_own_budget(server: CountingServer):
    budget = Budget(max_requests=1)
    backend = make_backend("vllm", pool_of(server), budget=budget)
    env = scalar(server, backend=backend)
    env.reset(seed=0)
    assert [env.step(0)[2] for _ in range(2)] == [False, True]
    env.close()
    assert (budget.n_requests, budget.spent_usd) == (1, COST_USD)


@pytest.mark.parametrize(
    ("given", "value"), [("max_usd", 0), ("max_requests", 0), ("journal", "j"), ("resume", True), ("stream", True)]
)
def test_recorded_sessions_take_no_budget_and_no_journal(given: str, value: Any):
    with pytest.raises(ValueError, match=f"{given}={value!r} needs a live backend"):
        PickLLMEnv(TABLE, **{given: value})


@pytest.mark.parametrize("given", ["max_usd", "max_requests", "journal"])
def test_a_backend_that_is_given_takes_none_either(given: str):
    for kind in (PickLLMEnv, PickLLMLiveVectorEnv):
        with pytest.raises(ValueError, match=f"{given}=1 is for backends given by name; one of make_backend brings"):
            kind(table=TABLE, backend=TableBackend(TABLE, TABLE.scorer), observation="none", **{given: 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_usd": -1.0}, "max_usd must be 0 or more, got -1.0"),
        ({"max_usd": float("nan")}, "max_usd must be 0 or more, got nan"),
        ({"max_requests": -1}, "max_requests must be 0 or more, got -1"),
        ({"resume": True}, "needs the journal to go on with"),
        ({"journal": "none/j"}, "there is no folder"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str, server: CountingServer):
    for make in (scalar, lambda server, **given: vector(server, 2, **given)):
        with pytest.raises(ValueError, match=message):
            make(server, **arguments)
    assert not server.answers


def test_requests_that_are_sent_again_are_within_the_budget_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asked_llm, "FIRST_RETRY_S", 0.01)
    for name in ("FIRST_BUSY_S", "LONGEST_BUSY_S"):
        monkeypatch.setattr(lanes, name, 0.005)
    models = ("429", "503 then good", "malformed", "good")
    with faulty_server() as faulty:
        llms = (LLMSpec(name, 1e6, 2e6, base_url=faulty.base_url, max_tokens=50) for name in models)
        env = vector(faulty, 12, pool=Pool("faulty", tuple(llms)), max_requests=40)
        env.reset(seed=0)
        terminated = np.zeros(12, dtype=bool)
        while not terminated.any():
            _, _, terminated, _, info = env.step(np.arange(12) % 4)
        assert len(faulty.requests) == 40
        assert faulty.asked.count("429") > faulty.asked.count("good")  # each was sent again
        assert info["spent_usd"][0] <= 40 * (300 + 2 * 50)
        env.close()


def test_a_damaged_outcome_is_not_used_said_and_asked_again(server: CountingServer, tmp_path: Path):
    journal = tmp_path / "j"
    env = scalar(server, journal=journal)
    env.reset(seed=0)
    for number in range(2):
        env.step(number)
    env.close()
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("UPDATE outcomes SET response = 'forged' WHERE number = 2")
        connection.commit()
    with pytest.warns(UserWarning, match="1 damaged outcomes are not used; their queries are asked again"):
        env = scalar(server, journal=journal, resume=True)
    env.reset(seed=0)
    assert [env.step(number)[4]["response"] for number in range(2)] == ["answer 0", "answer 2"]
    env.close()


def test_a_full_disk_is_explained_and_the_session_goes_on_later(
    server: CountingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal, connections = tmp_path / "j", list[sqlite3.Connection]()
    opened = journal_file.open_file

    def noted(path: Path, *, resume: bool) -> sqlite3.Connection:
        connections.append(opened(path, resume=resume))
        return connections[-1]

    monkeypatch.setattr(journal_file, "open_file", noted)
    server.reply = lambda number, llm, prompt: f"answer {number} {'long ' * 2000}"
    env = scalar(server, journal=journal)
    env.reset(seed=0)
    env.step(0)
    (n_pages,) = connections[0].execute("PRAGMA page_count").fetchone()
    connections[0].execute(f"PRAGMA max_page_count = {n_pages}")
    with pytest.raises(OSError, match=r"cannot be written: database or disk is full\. Its"):
        env.step(1)
    connections[0].execute("PRAGMA max_page_count = 1000000")
    assert env.step(1)[4]["response"].startswith("answer 2 ")
    env.close()
    again = scalar(server, journal=journal, resume=True)
    again.reset(seed=0)
    said = [again.step(number)[4] for number in range(2)]
    assert [info["response"][:9] for info in said] == ["answer 0 ", "answer 2 "]
    # The one that was answered and could not be kept counts at its worst.
    assert said[1]["spent_usd"] > 3 * COST_USD
    again.close()
    assert len(server.answers) == 3
    assert journal_files.n_open(journal) == 1
