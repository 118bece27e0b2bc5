"""Faults at the other end: each ends as a marked outcome in time, and what may pass is sent again within the budget."""

import asyncio
import email.utils
import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from faulty_server import GOOD, QUERY, USAGE_EVENT, FaultyServer, faulty_server, pool_of, text_event
from mutations import damaged
from tables import random_table

from llm_routing_env.backends import Budget, Request, asked_llm, http_endpoints, lanes, make_backend
from llm_routing_env.backends import ask as ask_one
from llm_routing_env.backends.asker import Asker
from llm_routing_env.backends.chat_completion import Completion
from llm_routing_env.backends.faults import AnswerError, Kind, RequestError, StatusError
from llm_routing_env.backends.usage import Usage
from llm_routing_env.envs import PickLLMEnv, PickLLMLiveVectorEnv
from llm_routing_env.pools.pool import Pool
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query

DEADLINE_S = 1.0  # the others have long answered by then, also on a busy machine
# Far more than a busy machine needs to notice a deadline, far less than a request that nobody gives up on.
GRACE_S = 4.0
FAULTS = {
    "refused": "Connect",
    "hung": "no response within the deadline",
    "slow": "no response within the deadline",
    "trickle": "no response within the deadline",
    "reset": "reset|disconnected|OSError",
    "resets half way": "Payload|reset",
    "half": "Payload",
    "hangs up": "disconnected",
    "429": "HTTP 429",
    "429 retry-after 60": "HTTP 429: .*; not sent again: it is to be left alone for 60 s, past the deadline",
    "500": "HTTP 500",
    "503": "HTTP 503",
    "malformed": "not a chat completion",
    "empty": "not a chat completion",
    "no choices": "not a chat completion",
    "no usage": "no usage",
    "not http": "BadStatusLine|ResponseError|ClientError|Bad",
}


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def faulty_pool(server: FaultyServer, *models: str) -> Iterator[Pool]:
    """Yield a pool of LLMs that behave as they are called; nobody listens for "refused", nobody accepts for "hung"."""
    pool = pool_of(server.base_url, *models, deadline_s=DEADLINE_S)
    with socket.create_server(("127.0.0.1", 0)) as hung:
        elsewhere = {"refused": free_port(), "hung": hung.getsockname()[1]}
        urls = {name: f"http://127.0.0.1:{port}/v1" for name, port in elsewhere.items()}
        yield replace(pool, llms=tuple(replace(llm, base_url=urls.get(llm.name, llm.base_url)) for llm in pool.llms))


def ask(
    base_url: str,
    model: str,
    budget: Budget | None = None,
    *,
    stream: bool = False,
    is_patient: bool = False,
    **fields: Any,
) -> Outcome:
    pool = pool_of(base_url, model, **fields)
    backend = make_backend("vllm", pool, budget=budget, stream=stream, is_patient=is_patient)
    try:
        return ask_one(backend, QUERY, 0)
    finally:
        backend.close()


def ask_all(backend: Asker, llms: Sequence[int], **options: Any) -> list[Outcome]:
    outcomes = dict(backend.ask_many([Request(QUERY, llm) for llm in llms], **options))
    return [outcomes[number] for number in range(len(llms))]


@pytest.mark.parametrize("model", FAULTS)
def test_a_step_never_raises_and_ends_by_the_deadline(server, model):
    with faulty_pool(server, model, "good") as pool:
        env = PickLLMEnv(random_table(n_llms=2), backend="vllm", pool=pool, observation="none", info="full")
        env.reset(seed=0)
        begun = time.monotonic()
        _, reward, terminated, _, info = env.step(0)
        assert time.monotonic() - begun < DEADLINE_S + GRACE_S
        assert_marked(FAULTS[model], info["error"], reward, env)
        assert not terminated
        assert env.step(1)[4]["error"] == ""  # the session goes on
        env.close()


def test_a_step_of_a_vector_never_raises_and_a_fault_costs_its_own_sessions_only(server):
    models = [*FAULTS, "good"]
    with faulty_pool(server, *models) as pool:
        env = PickLLMLiveVectorEnv(
            len(models), table=random_table(n_llms=len(models)), pool=pool, observation="none", info="full"
        )
        env.reset(seed=0)
        begun = time.monotonic()
        _, rewards, terminated, _, info = env.step(np.arange(len(models)))
        assert time.monotonic() - begun < DEADLINE_S + GRACE_S
        for row, expected in enumerate(FAULTS.values()):
            assert_marked(expected, info["error"][row], rewards[row], env)
        assert (info["response"][-1], info["error"][-1]) == ("Paris.", "")
        assert not terminated.any()
        good = np.full(len(models), models.index("good"))
        assert env.step(good)[4]["error"].tolist() == [""] * len(models)  # the sessions go on
        env.close()


def assert_marked(expected: str, error: str, reward: float, env: PickLLMEnv | PickLLMLiveVectorEnv) -> None:
    assert error is not None
    assert re.search(expected, error), error
    assert reward == env.task.reward_bounds[0]


DOWN = r"it is down after failures in a row: not asked for \d+\.\d s"
PASSING = ["408", "409", "429", "500", "502", "503", "504", "reset", "resets half way", "half", "hangs up"]
LASTING = ["400", "401", "404", "413", "422", "redirects", "malformed", "empty", "no choices", "no usage", "not http"]


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_sent_again(server, fault):
    outcome = ask(server.base_url, f"{fault} then {fault} then good")
    assert (outcome.response, outcome.error, outcome.n_attempts) == ("Paris.", None, 3)
    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", ["503", "half", "reset"])
def test_a_stream_is_sent_again_too(server, fault):
    outcome = ask(server.base_url, f"{fault} then good", stream=True)
    assert (outcome.response, outcome.error, outcome.n_attempts) == ("Paris.", None, 2)


@pytest.mark.parametrize("fault", LASTING)
def test_what_would_come_again_is_not_sent_again(server, fault):
    outcome = ask(server.base_url, f"{fault} then good")
    assert outcome.error is not None
    assert (outcome.n_attempts, len(server.requests)) == (1, 1)


@pytest.mark.parametrize("max_retries", [0, 1, 4])
def test_no_more_retries_than_the_pool_allows(server, max_retries):
    outcome = ask(server.base_url, "503", max_retries=max_retries)
    assert outcome.error == 'HTTP 503: {"error": "as told"}'
    assert outcome.n_attempts == len(server.requests) == max_retries + 1


def test_a_retry_waits_as_long_as_the_server_asks_and_that_is_not_the_llm_s_latency(server):
    outcome = ask(server.base_url, "503 retry-after 0.3 then metrics", hardware_usd_per_hour=3600.0)
    assert (outcome.error, outcome.n_attempts) == (None, 2)
    assert outcome.wait_s > 0.3 > outcome.latency_s
    assert outcome.ttft_s == pytest.approx(0.015)  # as the server reports
    assert outcome.cost_usd == pytest.approx(outcome.latency_s)  # of the second request: a dollar per second


def test_a_retry_after_pauses_the_llm_and_not_only_the_request_that_it_refused(server):
    backend = make_backend("vllm", pool_of(server.base_url, "429 retry-after 0.4 then good"))
    first = threading.Thread(target=lambda: list(backend.ask_many([Request(QUERY, 0)])))
    begun = time.monotonic()
    first.start()
    while not server.requests:
        time.sleep(0.005)
    time.sleep(0.1)
    later = [outcome for _, outcome in backend.ask_many([Request(QUERY, 0)] * 2)]
    first.join()
    backend.close()
    assert time.monotonic() - begun > 0.4
    assert [(outcome.n_attempts, outcome.error) for outcome in later] == [(1, None)] * 2  # they waited
    assert all(outcome.wait_s > 0.1 > outcome.latency_s for outcome in later)


@pytest.mark.parametrize("after_s", [-60, 60])
def test_a_server_may_give_the_time_as_a_date(server, after_s):
    outcome = ask(server.base_url, f"503 retry-after {email.utils.formatdate(time.time() + after_s)} then good")
    assert outcome.n_attempts == (1 if after_s > 0 else 2)
    assert (outcome.error or "").endswith("past the deadline") == (after_s > 0)


def test_a_retry_that_would_come_too_late_ends_at_once(server):
    outcome = ask(server.base_url, "429 retry-after 7 then good", deadline_s=6.0)
    assert outcome.error is not None
    assert outcome.error.startswith('HTTP 429: {"error": "busy"}; not sent again: it is to be left alone for 7')
    assert outcome.latency_s < 6.0
    assert len(server.requests) == 1


def test_retries_share_one_deadline(server):
    outcome = ask(server.base_url, "503 then slow", deadline_s=1.0)
    assert outcome.error == "no response within the deadline of 1 s"
    assert outcome.n_attempts == 2


def test_others_get_the_place_during_a_pause(server):
    pool = pool_of(server.base_url, "503 retry-after 0.3 then good", "good")
    backend = make_backend("vllm", pool, max_in_flight=1)
    answers = list(backend.ask_many([Request(QUERY, 0), Request(QUERY, 1)]))
    backend.close()
    assert [(number, outcome.error) for number, outcome in answers] == [(1, None), (0, None)]
    assert server.most_in_flight == 1


def test_a_retry_that_finds_no_place_ends_with_the_fault_before_it(server):
    backend = make_backend("vllm", pool_of(server.base_url, "503", "slow", deadline_s=1.0), max_in_flight=1)
    failed, late = ask_all(backend, [0, 1])
    backend.close()
    assert failed.error is not None
    assert re.fullmatch(r"HTTP 503: .*; not sent again: no place in flight within .*", failed.error)
    assert failed.n_attempts == 1
    assert late.error == "no response within the deadline of 1 s"


def test_a_refused_connection_is_no_request_and_is_tried_again_until_it_is_accepted(monkeypatch):
    monkeypatch.setattr(asked_llm, "LONGEST_RETRY_S", 0.02)
    port = free_port()
    refused = ask(f"http://127.0.0.1:{port}/v1", "good", hardware_usd_per_hour=1.0)
    assert (refused.n_attempts, refused.cost_usd) == (0, 0)
    monkeypatch.setattr(lanes, "PAUSE_S", 0.05)
    outcomes: list[Outcome] = []
    asking = threading.Thread(
        target=lambda: outcomes.append(ask(f"http://127.0.0.1:{port}/v1", "good", is_patient=True))
    )
    asking.start()
    time.sleep(0.2)
    with faulty_server(port):
        asking.join()
    assert (outcomes[0].error, outcomes[0].n_attempts) == (None, 1)


def whole_answer() -> bytes:
    body = json.dumps(GOOD).encode()
    return b"HTTP/1.1 200 OK\r\nRetry-After: 1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def streamed_answer() -> bytes:
    events = [*(f"data: {json.dumps(event)}\n\n".encode() for event in (text_event("Paris."), USAGE_EVENT))]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in (*events, b"data: [DONE]\n\n", b""))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks


@pytest.mark.parametrize(("answer", "stream"), [(whole_answer(), False), (streamed_answer(), True)])
def test_damaged_http_is_an_outcome(server, monkeypatch, answer, stream):
    monkeypatch.setattr(lanes, "MOST_FAILURES", 10**6)
    backend = make_backend("vllm", pool_of(server.base_url, "raw", deadline_s=0.5, max_retries=0), stream=stream)
    server.raw = [damaged(answer, seed) for seed in range(200)] + [answer]
    outcomes = [ask_one(backend, QUERY, 0) for _ in range(201)]
    backend.close()
    assert (outcomes[0].response, outcomes[0].error) == ("Paris.", None)
    assert sum(outcome.error is not None for outcome in outcomes) > 100


def worst_usd(pool: Pool) -> float:
    return pool.llms[0].worst_usd(QUERY.prompt, pool.deadline_s)


@pytest.mark.parametrize("bound", ["max_usd", "max_requests"])
def test_a_retry_that_the_budget_does_not_allow_is_not_sent(server, bound):
    worst = worst_usd(pool_of(server.base_url, "503"))
    budget = Budget(max_usd=2.5 * worst) if bound == "max_usd" else Budget(max_requests=2)
    outcome = ask(server.base_url, "503", budget, max_retries=5)
    assert outcome.error is not None
    assert re.fullmatch(r"HTTP 503: .*; not sent again: the budget of .* is used up.*", outcome.error)
    assert outcome.n_attempts == len(server.requests) == budget.n_requests == 2
    assert budget.spent_usd == pytest.approx(2 * worst)


def test_a_budget_is_never_exceeded_by_retries_of_many_at_once(server):
    budget = Budget(max_requests=30)
    pool = pool_of(server.base_url, "503 then 503 then good", "reset then good", "good", max_retries=3)
    backend = make_backend("vllm", pool, max_in_flight=8, budget=budget)
    outcomes = [outcome for _, outcome in backend.ask_many(Request(QUERY, number % 3) for number in range(40))]
    backend.close()
    assert sum(outcome.n_attempts for outcome in outcomes) == len(server.requests) == budget.n_requests == 30


class ScriptedAnswerer:
    """To whom things happen in a given order."""

    def __init__(self, *events: Exception | Completion) -> None:
        self._events = list(events)

    async def complete(self, llm: int, query: Query) -> Completion:
        event = self._events.pop(0)
        if isinstance(event, Exception):
            raise event
        return event

    async def close(self) -> None: ...


def scripted(*events: Exception | Completion, budget: Budget | None = None, **options: Any) -> Asker:
    pool = pool_of("http://127.0.0.1:1/v1", "good")
    return Asker(pool, lambda: ScriptedAnswerer(*events), max_in_flight=1, budget=budget, **options)


REFUSED = RequestError("refused", Kind.UNSENT)
PARIS = Completion("Paris.", Usage(100, 10), None)
PARIS_USD = (100 * 0.5 + 10 * 2.0) / 1e6


@pytest.mark.parametrize(
    ("events", "n_attempts", "n_billed"),
    [
        ([REFUSED, REFUSED, PARIS], 1, 0),
        ([REFUSED, StatusError(503, ""), PARIS], 2, 1),
        ([StatusError(503, ""), REFUSED, PARIS], 2, 1),
        ([StatusError(503, ""), REFUSED, REFUSED], 1, 1),
        ([REFUSED, REFUSED, REFUSED], 0, 0),
        ([AnswerError("zz")], 1, 1),
        ([StatusError(429, ""), StatusError(408, ""), StatusError(400, "")], 3, 0),
        ([StatusError(401, "")], 1, 0),
    ],
)
def test_what_each_request_costs_is_settled_where_it_was_sent(monkeypatch, events, n_attempts, n_billed):
    monkeypatch.setattr(lanes, "FIRST_BUSY_S", 0.001)
    budget = Budget(max_usd=1.0)
    backend = scripted(*events, budget=budget)
    outcome = ask_one(backend, QUERY, 0)
    backend.close()
    worst = worst_usd(backend.pool)
    assert outcome.n_attempts == budget.n_requests == n_attempts
    assert (outcome.error is None) == (events[-1] is PARIS)
    assert budget.spent_usd == pytest.approx(n_billed * worst + PARIS_USD * (events[-1] is PARIS))
    # Nothing is set aside any longer.
    asyncio.run(asyncio.wait_for(budget.reserve(1.0 - budget.spent_usd), 1))


def test_a_request_that_is_given_up_counts_at_its_worst_and_leaves_nothing_set_aside(server):
    budget = Budget(max_usd=1.0)
    backend = make_backend("vllm", pool_of(server.base_url, "503 then slow"), budget=budget)
    answers = backend.ask_many([Request(QUERY, 0)])
    asking = threading.Thread(target=lambda: next(answers, None), daemon=True)
    asking.start()
    while len(server.requests) < 2:  # the second try is under way
        time.sleep(0.005)
    backend.close()
    worst = worst_usd(backend.pool)
    assert budget.n_requests == 2
    assert budget.spent_usd == pytest.approx(2 * worst)
    asyncio.run(asyncio.wait_for(budget.reserve(1.0 - budget.spent_usd), 1))


OVERRUN = Completion("yes", Usage(2000, 4000), None)


def test_an_endpoint_that_charges_more_is_held_for_that_much_dearer_at_once():
    pool = pool_of("http://127.0.0.1:1/v1", "dear")
    worst, charged = worst_usd(pool), (2000 * 0.5 + 4000 * 2.0) / 1e6
    budget = Budget(max_usd=2.5 * charged)
    backend = Asker(pool, lambda: ScriptedAnswerer(*[OVERRUN] * 64), max_in_flight=64, budget=budget)
    outcomes = dict(backend.ask_many([Request(QUERY, 0)] * 64))
    backend.close()
    assert sum(outcome.error is None for outcome in outcomes.values()) == 2
    assert budget.spent_usd == pytest.approx(2 * charged)
    assert f"'dear' charged ${charged:.6g} for a request of at most ${worst:.6g}" in budget.overcharges["dear"]


def test_overcharges_of_many_in_flight_do_not_add_up():
    """Honest at first, then twenty times its worst case, 63 times at once: that is the worst case, not its power."""
    pool = pool_of("http://127.0.0.1:1/v1", "dear")
    worst, started = worst_usd(pool), asyncio.Event()

    class Turning:
        n_asked = 0

        async def complete(self, llm: int, query: Query) -> Completion:
            self.n_asked += 1
            if self.n_asked == 1:
                return PARIS
            if self.n_asked == 64:
                started.set()
            await started.wait()
            return OVERRUN

        async def close(self) -> None: ...

    charged, budget = (2000 * 0.5 + 4000 * 2.0) / 1e6, Budget(max_usd=5.0)
    with closing(Asker(pool, Turning, max_in_flight=63, budget=budget)) as backend:
        dict(backend.ask_many([Request(QUERY, 0)] * 64))
        dict(backend.ask_many([Request(QUERY, 0)] * 10))
    assert budget.spent_usd == pytest.approx(PARIS_USD + 73 * charged)
    assert f"charged ${charged:.6g} for a request of at most ${worst:.6g}" in budget.overcharges["dear"]


def test_an_answer_of_no_tokens_is_not_free():
    budget = Budget(max_usd=1.0)
    with closing(scripted(Completion("Paris.", Usage(0, 0), None), budget=budget)) as backend:
        outcome = ask_one(backend, QUERY, 0)
    assert outcome.error is not None
    assert "its tokens and cost are unknown" in outcome.error
    assert budget.spent_usd == pytest.approx(worst_usd(backend.pool))


def test_a_pause_of_a_year_is_not_heeded_by_a_session(server, monkeypatch):
    monkeypatch.setattr(lanes, "LONGEST_PAUSE_S", 0.05)
    pool = pool_of(server.base_url, "429 retry-after 31536000 then good", max_retries=0)
    with closing(make_backend("vllm", pool)) as backend:
        assert (ask_one(backend, QUERY, 0).error or "").startswith("HTTP 429")
        time.sleep(0.06)
        assert ask_one(backend, QUERY, 0).error is None


def test_who_asks_while_the_backend_is_closed_is_told(server):
    backend = make_backend("vllm", pool_of(server.base_url, "slow"))
    told: list[BaseException] = []

    def asking() -> None:
        try:
            ask_one(backend, QUERY, 0)
        except Exception as error:
            told.append(error)

    thread = threading.Thread(target=asking)
    thread.start()
    while not server.requests:
        time.sleep(0.005)
    backend.close()
    thread.join(10)
    assert [str(error) for error in told] == ["The backend was closed while it was asked."]


def test_a_start_that_fails_leaves_no_thread():
    def fails() -> Any:
        raise RuntimeError("no engine")

    backend = Asker(pool_of("http://127.0.0.1:1/v1", "good"), fails, max_in_flight=1)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="no engine"):
            ask_one(backend, QUERY, 0)
    assert not [thread for thread in threading.enumerate() if thread.name == "pickllm-asker"]


def test_an_overshoot_is_at_most_one_request_of_each_llm_and_said():
    pool = pool_of("http://127.0.0.1:1/v1", "dear", "dearer")
    charged = (2000 * 0.5 + 4000 * 2.0) / 1e6
    budget = Budget(max_usd=charged / 2)
    backend = Asker(pool, lambda: ScriptedAnswerer(*[OVERRUN] * 64), max_in_flight=64, budget=budget)
    outcomes = dict(backend.ask_many([Request(QUERY, number % 2) for number in range(64)]))
    backend.close()
    answered = [number % 2 for number, outcome in outcomes.items() if outcome.error is None]
    assert len(answered) == len(set(answered))
    refused = next(outcome for outcome in outcomes.values() if outcome.error is not None)
    over = budget.spent_usd - charged / 2
    assert refused.error.startswith(f"the budget of ${charged / 2:g} is exceeded by ${over:.6g}; 'dear")


def test_after_five_failures_in_a_row_an_llm_is_not_asked_and_the_others_are(server):
    backend = make_backend("vllm", pool_of(server.base_url, "500", "good", max_retries=0))
    outcomes = [ask_one(backend, QUERY, llm) for llm in (0, 0, 0, 0, 0, 0, 1)]
    backend.close()
    assert [outcome.n_attempts for outcome in outcomes] == [1, 1, 1, 1, 1, 0, 1]
    assert outcomes[5].error is not None
    assert re.fullmatch(DOWN, outcomes[5].error)
    assert (outcomes[5].cost_usd, outcomes[6].error) == (0, None)
    assert server.asked == ["500"] * 5 + ["good"]


def test_those_that_wait_for_a_place_when_the_llm_goes_down_are_not_sent(server):
    backend = make_backend("vllm", pool_of(server.base_url, "500", max_retries=0), max_in_flight=1)
    outcomes = ask_all(backend, [0] * 12)
    backend.close()
    assert [outcome.n_attempts for outcome in outcomes] == [1] * 5 + [0] * 7
    assert len(server.requests) == 5


def test_requests_that_the_server_finds_fault_with_take_no_llm_down(server):
    backend = make_backend("vllm", pool_of(server.base_url, "400"))
    outcomes = [ask_one(backend, QUERY, 0) for _ in range(7)]
    backend.close()
    assert [outcome.n_attempts for outcome in outcomes] == [1] * 7


@pytest.mark.parametrize("fault", ["401", "malformed", "refused", "hung"])
def test_whatever_else_fails_does(server, fault):
    with faulty_pool(server, fault) as pool:
        backend = make_backend("vllm", replace(pool, deadline_s=0.1, max_retries=0))
        errors = [ask_one(backend, QUERY, 0).error or "" for _ in range(6)]
        backend.close()
    assert [bool(re.fullmatch(DOWN, error)) for error in errors] == [False] * 5 + [True]


def test_one_probe_is_sent_while_an_llm_is_down_and_its_answer_ends_it(server, monkeypatch):
    monkeypatch.setattr(lanes, "PAUSE_S", 0.05)
    models = " then ".join(["500"] * 5 + ["slow", "good"])
    backend = make_backend("vllm", pool_of(server.base_url, models, max_retries=0, deadline_s=1.0))
    for _ in range(5):
        assert ask_one(backend, QUERY, 0).n_attempts == 1
    time.sleep(0.06)
    *others, (probe, late) = list(backend.ask_many([Request(QUERY, 0)] * 4))
    assert (probe, late.error) == (0, "no response within the deadline of 1 s")
    assert [outcome.n_attempts for _, outcome in others] == [0] * 3
    assert all(re.fullmatch(DOWN, outcome.error or "") for _, outcome in others)
    time.sleep(0.06)
    assert [ask_one(backend, QUERY, 0).error for _ in range(3)] == [None] * 3
    backend.close()


def test_a_session_goes_on_when_a_server_is_killed_and_started_again(monkeypatch):
    monkeypatch.setattr(lanes, "PAUSE_S", 0.05)
    with faulty_server() as first:
        port = first.server_address[1]
        pool = pool_of(first.base_url, "good", "a little slow")
        env = PickLLMEnv(
            random_table(n_llms=2), backend="vllm", pool=pool, split="all", observation="none", info="full"
        )
        env.reset(seed=0)
        assert env.step(0)[4]["error"] == ""
        first.kill()
        errors = [env.step(step % 2)[4]["error"] for step in range(14)]
    assert None not in errors
    assert re.search(DOWN, errors[-1])
    with faulty_server(port):
        time.sleep(0.06)
        assert [env.step(step % 2)[4]["error"] for step in range(6)] == [""] * 6
    env.close()


def test_a_vector_goes_on_when_a_server_is_killed_under_its_requests():
    n_envs = 16
    with faulty_server() as first:
        port = first.server_address[1]
        pool = pool_of(first.base_url, "a little slow", max_retries=0)
        env = PickLLMLiveVectorEnv(
            n_envs, table=random_table(n_llms=1), pool=pool, observation="none", info="full", max_in_flight=4
        )
        env.reset(seed=0)
        killer = threading.Timer(0.02, first.kill)
        killer.start()
        _, rewards, _, _, info = env.step(np.zeros(n_envs, dtype=int))
        killer.join()
    failed = np.array([error is not None for error in info["error"]])
    assert failed.any()
    assert (rewards[failed] == env.task.reward_bounds[0]).all()
    env.close()
    env = PickLLMLiveVectorEnv(n_envs, table=random_table(n_llms=1), pool=pool, observation="none", info="full")
    env.reset(seed=0)
    with faulty_server(port):
        assert env.step(np.zeros(n_envs, dtype=int))[4]["error"].tolist() == [""] * n_envs
    env.close()


@pytest.mark.parametrize(("model", "stream"), [("endless", False), ("endless", True), ("endless line", True)])
def test_a_body_without_end_is_given_up_and_not_kept(server, monkeypatch, model, stream):
    monkeypatch.setattr(http_endpoints, "MOST_BYTES", 2**20)
    outcome = ask(server.base_url, model, stream=stream)
    assert outcome.error is not None
    assert outcome.error == "the response has more than 1048576 bytes"
    assert (outcome.response, outcome.n_attempts) == ("", 1)
    # What was not read fills the buffers of two sockets, a few megabytes each.
    assert server.n_sent < 2**25


def test_a_body_has_at_most_16_mib():
    assert http_endpoints.MOST_BYTES == 16 * 1024 * 1024
