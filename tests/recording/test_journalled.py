"""Asking within a budget and with a journal: what is sent, what is given again, and what is never exceeded."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import journal_files
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_routing_env.backends import Request, ask, asked_llm, lanes
from llm_routing_env.backends.asker import Asker
from llm_routing_env.backends.budget import Budget, RefusedOutcome
from llm_routing_env.backends.chat_completion import Completion
from llm_routing_env.backends.faults import Kind, RequestError
from llm_routing_env.backends.journal import Journal, Spent
from llm_routing_env.backends.usage import Usage
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.tables.queries import Query, QuerySet

QUERIES = QuerySet(Query(f"q{n}", "art", "test", f"Question {n}?", ("yes",)) for n in range(4))
POOL = Pool(
    "priced",
    tuple(
        LLMSpec(name, 1e6, price, base_url="http://host/v1", max_tokens=5) for name, price in (("a", 2e6), ("b", 9e6))
    ),
    max_retries=2,
)
PROMPT_TOKENS = len("Question 0?") + 256  # at most: as many as bytes, and a chat template's
WORST_USD = [PROMPT_TOKENS + 5 * price for price in (2, 9)]  # of one request to "a", to "b"


class Scripted:
    """Answers as a function says; lives on the asker's event loop.

    Attributes:
        asked: How often each query was asked of each LLM.
    """

    def __init__(self, complete: Callable[[int, Query], Awaitable[Completion]]) -> None:
        self._complete = complete
        self.asked: Counter[tuple[str, int]] = Counter()

    async def complete(self, llm: int, query: Query) -> Completion:
        self.asked[query.query_id, llm] += 1
        return await self._complete(llm, query)

    async def close(self) -> None: ...


class Faulty:
    """Answers in any order, at any price up to the worst case, or fails in any way, billed or not.

    Attributes:
        paid_usd: What was charged for all of it.
        n_requests: What was sent.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.paid_usd, self.n_requests = 0.0, 0

    async def complete(self, llm: int, query: Query) -> Completion:
        rng, worst_usd = self._rng, WORST_USD[llm]
        if rng.random() < 0.1:
            raise RequestError("no such host", Kind.UNSENT)
        self.n_requests += 1
        self.paid_usd += worst_usd  # who is cut off here may have to pay it all
        for _ in range(rng.integers(4)):
            await asyncio.sleep(0)
        self.paid_usd -= worst_usd
        if rng.random() < 0.4:
            kinds = [kind for kind in Kind if kind.was_sent]
            kind = kinds[rng.integers(len(kinds))]
            self.paid_usd += worst_usd * (kind.may_be_billed and rng.random() < 0.5)
            raise RequestError("failed", kind)
        if rng.random() < 0.1:
            self.paid_usd += worst_usd
            return Completion("not counted", None, None)
        usage = Usage(int(rng.choice([0, 1, PROMPT_TOKENS])), int(rng.choice([0, 1, 5])))
        self.paid_usd += POOL.llms[llm].cost_usd(*usage[:2], 0.0)
        return Completion(f"answer {self.n_requests}", usage, None)

    async def close(self) -> None: ...


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (asked_llm, "FIRST_RETRY_S"),
        (asked_llm, "LONGEST_RETRY_S"),
        (lanes, "PAUSE_S"),
        (lanes, "FIRST_BUSY_S"),
    ):
        monkeypatch.setattr(module, name, 0.0001)


def asker_of(answerer: Scripted | Faulty, path: Path | None, **options: object) -> Asker:
    journal = None if path is None else Journal(path, resume=True)
    return Asker(POOL, lambda: answerer, **{"max_in_flight": 8, "journal": journal, **options})  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**31),
    max_usd=st.one_of(st.none(), st.integers(0, 20_000)),
    max_requests=st.one_of(st.none(), st.integers(0, 60)),
    concurrency=st.sampled_from([None, 1, 3, 8]),
    has_journal=st.booleans(),
    is_patient=st.booleans(),
)
def test_a_budget_is_never_exceeded_whatever_fails_and_however_often_it_is_resumed(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    max_usd: int | None,
    max_requests: int | None,
    concurrency: int | None,
    has_journal: bool,
    is_patient: bool,
):
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("j") / "journal" if has_journal else None
    live, budget = Faulty(rng), Budget(max_usd, max_requests)
    for _ in range(3):
        if has_journal:
            budget = Budget(max_usd, max_requests)  # of a new process: all it knows is in the journal
        with closing(asker_of(live, path, budget=budget, is_patient=is_patient)) as asker:
            assert budget.spent_usd >= live.paid_usd - 1e-6
            assert budget.n_requests >= live.n_requests
            requests = [Request(QUERIES[int(rng.integers(4))], int(rng.integers(2))) for _ in range(25)]
            interrupted_at = int(rng.integers(1, 40))
            answers = asker.ask_many(requests, concurrency=concurrency)
            got = dict(islice(answers, interrupted_at))
            answers.close()
            ask(asker, *requests[0][:2])
        assert len(got) == min(interrupted_at, len(requests))
        # What was lost counts as more than it was, so the budget itself may say more than its bound.
        assert live.paid_usd <= budget.spent_usd + 1e-6
        assert live.n_requests <= budget.n_requests
        assert max_usd is None or live.paid_usd <= max_usd + 1e-6
        assert max_requests is None or live.n_requests <= max_requests


def answering(path: Path | None, **options: object) -> tuple[Scripted, Asker]:
    """Return an LLM of each name that answers at once, numbering its answers, for 1 USD, and who asks them."""

    async def answer(llm: int, query: Query) -> Completion:
        return Completion(f"{query.query_id} {llm} {live.asked[query.query_id, llm]}", Usage(1, 0), None)

    live = Scripted(answer)
    return live, asker_of(live, path, **options)


def failing(fault: RequestError) -> Scripted:
    async def fail(llm: int, query: Query) -> Completion:
        raise fault

    return Scripted(fail)


def responses(asker: Asker, requests: list[Request]) -> list[str]:
    answers = dict(asker.ask_many(requests))
    return [answers[number].response for number in range(len(requests))]


ASKED = [Request(QUERIES[0], 0), Request(QUERIES[0], 0), Request(QUERIES[1], 0), Request(QUERIES[0], 1)]


def test_each_journalled_outcome_is_given_to_one_ask_of_its_query_and_llm(tmp_path: Path):
    live, first = answering(tmp_path / "j")
    said = responses(first, ASKED) + responses(first, ASKED)
    assert sorted(said) == ["q0 0 1", "q0 0 2", "q0 0 3", "q0 0 4", "q0 1 1", "q0 1 2", "q1 0 1", "q1 0 2"]
    first.close()
    live, again = answering(tmp_path / "j")
    assert responses(again, ASKED) + responses(again, ASKED) == said
    assert live.asked.total() == 0
    # What the journal lacks is sent: the fifth ask of q0 of "a", and the sixth.
    responses(again, ASKED[:2])
    assert live.asked == {("q0", 0): 2}
    assert ask(again, QUERIES[1], 0).response == "q1 0 1"  # this process's first of that LLM
    again.close()


def test_a_repeat_that_is_named_is_the_one_that_was_journalled_under_it(tmp_path: Path):
    live, first = answering(tmp_path / "j")
    said = [ask(first, QUERIES[0], 0, repeat).response for repeat in (5, 1)]
    assert [ask(first, QUERIES[0], 0, repeat).response for repeat in (1, 5)] == said[::-1]
    first.close()
    assert live.asked.total() == 2


def test_what_an_interrupted_caller_never_got_is_not_asked_again(tmp_path: Path):
    live, asker = answering(tmp_path / "j")
    answers = asker.ask_many(ASKED, concurrency=1)
    next(answers)
    next(answers)
    answers.close()
    assert live.asked.total() == 2
    responses(asker, ASKED)
    assert live.asked.total() == len(ASKED)
    asker.close()


def test_a_changed_prompt_under_the_same_name_is_another_question(tmp_path: Path):
    live, asker = answering(tmp_path / "j")
    changed = replace(QUERIES[0], prompt="Another?")
    chat = replace(QUERIES[0], messages=(("system", "Be brief."), ("user", QUERIES[0].prompt)))
    said = [ask(asker, query, 0, 0).response for query in (QUERIES[0], changed, chat)]
    asker.close()
    assert said == ["q0 0 1", "q0 0 2", "q0 0 3"]
    live, again = answering(tmp_path / "j")
    assert [ask(again, query, 0, 0).response for query in (chat, changed, QUERIES[0])] == said[::-1]
    again.close()
    assert live.asked.total() == 0


def test_another_query_with_the_same_chat_is_the_same_question_to_an_llm(tmp_path: Path):
    _, asker = answering(tmp_path / "j")
    twin = replace(QUERIES[0], query_id="twin", context="chess", references=("no",))
    assert [ask(asker, query, 0).response for query in (QUERIES[0], twin)] == ["q0 0 1", "twin 0 1"]
    asker.close()
    live, again = answering(tmp_path / "j")
    assert [ask(again, query, 0).response for query in (twin, QUERIES[0])] == ["q0 0 1", "twin 0 1"]
    again.close()
    assert live.asked.total() == 0


def test_an_outcome_is_on_disk_before_it_is_given_and_a_request_before_it_is_sent(tmp_path: Path):
    path, seen = tmp_path / "j", list[tuple[int, int]]()

    async def look(llm: int, query: Query) -> Completion:
        seen.append((journal_files.n_open(path), len(journal_files.rows(path))))
        return Completion("yes", Usage(1, 0), None)

    with closing(asker_of(Scripted(look), path)) as asker:
        for number, _ in enumerate(asker.ask_many(ASKED, concurrency=1), start=1):
            assert len(journal_files.rows(path)) == number
    assert seen == [(1, 0), (1, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize("is_patient", [False, True])
def test_errors_are_asked_again_on_demand_only(tmp_path: Path, is_patient: bool):
    for retry_errors, n_asked in ((False, 1), (False, 0), (True, 1), (False, 0)):
        live = failing(RequestError("HTTP 400: no", Kind.REFUSED))
        with closing(asker_of(live, tmp_path / "j", retry_errors=retry_errors, is_patient=is_patient)) as asker:
            assert ask(asker, QUERIES[0], 0).error == "HTTP 400: no"
        assert live.asked.total() == n_asked
    live, asker = answering(tmp_path / "j", retry_errors=True)
    assert ask(asker, QUERIES[0], 0).error is None
    asker.close()
    live, asker = answering(tmp_path / "j", retry_errors=True)
    assert ask(asker, QUERIES[0], 0).error is None
    asker.close()
    assert live.asked.total() == 0


def test_what_was_never_sent_is_not_journalled(tmp_path: Path):
    with closing(asker_of(failing(RequestError("refused", Kind.UNSENT)), tmp_path / "j")) as asker:
        outcome = ask(asker, QUERIES[0], 0)
        assert (outcome.n_attempts, outcome.cost_usd) == (0, 0.0)
        assert asker.budget.n_requests == 0
    assert journal_files.rows(tmp_path / "j") == []
    assert journal_files.read(tmp_path / "j", "SELECT * FROM attempts") == []


def test_a_request_waits_for_the_reservations_of_those_in_flight():
    # Room for one worst case at a time, and for four requests at what they really cost.
    live, asker = answering(None, budget=Budget(WORST_USD[0] + 3))
    outcomes = dict(asker.ask_many([Request(QUERIES[0], 0)] * 5))
    assert sorted(isinstance(outcomes[number], RefusedOutcome) for number in range(5)) == [False] * 4 + [True]
    assert live.asked.total() == 4
    assert asker.budget.spent_usd == 4.0
    (refused,) = (outcome for outcome in outcomes.values() if isinstance(outcome, RefusedOutcome))
    assert refused.error == f"the budget of ${WORST_USD[0] + 3:g} is used up: $4 are spent"
    asker.close()


def test_a_dear_request_is_refused_where_a_cheap_one_is_still_allowed():
    live, asker = answering(None, budget=Budget(WORST_USD[0]))
    outcomes = dict(asker.ask_many([Request(QUERIES[0], 1), Request(QUERIES[0], 0)]))
    assert isinstance(outcomes[0], RefusedOutcome)
    assert outcomes[1].error is None
    assert live.asked == {("q0", 0): 1}
    asker.close()


def test_a_refused_request_is_not_journalled(tmp_path: Path):
    live, asker = answering(tmp_path / "j", budget=Budget(max_requests=1))
    outcomes = dict(asker.ask_many(ASKED))
    asker.close()
    assert sorted(outcome.error or "" for outcome in outcomes.values()) == [
        "",
        *["the budget of 1 requests is used up"] * 3,
    ]
    assert len(journal_files.rows(tmp_path / "j")) == len(journal_files.read(tmp_path / "j", "SELECT * FROM attempts"))
    live, more = answering(tmp_path / "j")
    responses(more, ASKED)
    more.close()
    assert live.asked.total() == len(ASKED) - 1


def test_what_is_lost_counts_at_its_worst_and_a_resumed_budget_knows_it(tmp_path: Path):
    sent = threading.Event()

    async def hang(llm: int, query: Query) -> Completion:
        sent.set()
        await asyncio.Event().wait()
        raise AssertionError

    budget = Budget()
    with closing(asker_of(Scripted(hang), tmp_path / "j", budget=budget)) as asker:
        answers = asker.ask_many([Request(QUERIES[0], 0)], interrupted(sent), concurrency=1)
        with pytest.raises(KeyboardInterrupt):
            next(answers)
    assert (budget.spent_usd, budget.n_requests) == (WORST_USD[0], 1)
    later = Budget()
    with closing(answering(tmp_path / "j", budget=later)[1]) as asker:
        assert asker.journal is not None
        assert asker.journal.spent() == Spent(WORST_USD[0], 1, 1)
        assert (later.spent_usd, later.n_requests) == (WORST_USD[0], 1)
        ask(asker, QUERIES[0], 0)
        assert (later.spent_usd, later.n_requests) == (WORST_USD[0] + 1, 2)


def interrupted(event: threading.Event) -> Iterator[Request]:
    """Be interrupted once a request was sent."""
    event.wait(10)
    raise KeyboardInterrupt
    yield


def test_a_request_in_flight_is_lost_though_another_that_was_never_sent_had_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """SQLite gives the number of a deleted row again: who had it before must not settle it."""
    monkeypatch.setattr(asked_llm, "_pause_s", lambda state: 0.1)
    was_refused, may_answer = threading.Event(), asyncio.Event()

    async def complete(llm: int, query: Query) -> Completion:
        if llm == 1:
            await may_answer.wait()
            return Completion("late", Usage(1, 0), None)
        if live.asked["q0", 0] == 1:
            raise RequestError("HTTP 500", Kind.BROKEN)
        was_refused.set()
        raise RequestError("connection refused", Kind.UNSENT)

    def second() -> Iterator[Request]:
        was_refused.wait(10)
        yield Request(QUERIES[0], 1)

    live = Scripted(complete)
    pool = replace(POOL, llms=(replace(POOL.llms[0], deadline_s=0.4), POOL.llms[1]))
    journal = Journal(tmp_path / "j", resume=False)
    budget = Budget(max_requests=2)  # so that the first waits in vain, once the second is in flight
    with closing(Asker(pool, lambda: live, max_in_flight=8, budget=budget, journal=journal)) as asker:
        answers = asker.ask_many([Request(QUERIES[0], 0)], second(), concurrency=1)
        number, outcome = next(answers)
        assert (number, outcome.n_attempts) == (0, 1)
        assert "not sent again: not sent within the deadline" in (outcome.error or "")
        assert journal.spent() == Spent(WORST_USD[0] + WORST_USD[1], 2, 1)
        asker._loop.loop.call_soon_threadsafe(may_answer.set)  # type: ignore[union-attr]
        assert next(answers)[1].response == "late"
        assert journal.spent() == Spent(WORST_USD[0] + 1, 2, 0)


def test_requests_are_taken_as_late_as_they_can_be_sent():
    """They may depend on the outcomes so far."""
    _, asker = answering(None)
    taken: list[int] = []

    def requests() -> Iterator[Request]:
        for number in range(6):
            taken.append(number)
            yield Request(QUERIES[0], 0)

    for done, _ in enumerate(asker.ask_many(requests(), concurrency=2), start=1):
        assert len(taken) <= done + 2
    assert len(taken) == 6
    asker.close()


def test_a_budget_counts_a_journal_once_however_often_it_is_opened(tmp_path: Path):
    budget = Budget()
    for _ in range(3):
        _, asker = answering(tmp_path / "j", budget=budget)
        responses(asker, ASKED)
        asker.close()
    assert (budget.spent_usd, budget.n_requests) == (4.0, 4)
    _, asker = answering(tmp_path / "j", budget=(fresh := Budget()))
    asker.close()
    assert (fresh.spent_usd, fresh.n_requests) == (4.0, 4)


def test_threads_share_one_journal(tmp_path: Path):
    live, asker = answering(tmp_path / "j")
    said: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda n=n: said.append(responses(asker, [Request(QUERIES[n], 0)] * 20)))  # type: ignore[misc]
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asker.close()
    assert len({text for texts in said for text in texts}) == 80 == len(journal_files.rows(tmp_path / "j"))
    assert live.asked.total() == 80
