"""Asking within a budget and with a journal: what is sent, what is replayed, and what is never exceeded."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_routing_env.backends.base import Answers, Request
from llm_routing_env.backends.budget import Budget, RefusedOutcome
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.recording.journal import Journal
from llm_routing_env.recording.journalled import JournalledBackend, charge_journal, open_journal
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query, QuerySet

QUERIES = QuerySet(Query(f"q{n}", "art", "test", f"Question {n}?", ("yes",)) for n in range(4))
POOL = Pool(
    "priced",
    tuple(
        LLMSpec(name, 1e6, price, base_url="http://host/v1", max_tokens=5) for name, price in (("a", 2e6), ("b", 9e6))
    ),
    max_retries=2,
)
WORST_USD = [len("Question 0?") + 256 + 5 * price for price in (2, 9)]  # of one request to "a", to "b"


class FaultyBackend:
    """Answers in any order, at any price up to the worst case, with retries, errors, and requests that it never sends.

    Attributes:
        paid_usd: What was charged for all of it.
        n_requests: What was sent.
        asked: How often each query was asked of each LLM.
    """

    llm_names = POOL.llm_names

    def __init__(self, budget: Budget, rng: np.random.Generator, max_in_flight: int = 8) -> None:
        self._budget, self._rng, self._max_in_flight = budget, rng, max_in_flight
        self.paid_usd, self.n_requests = 0.0, 0
        self.asked: Counter[tuple[str, int]] = Counter()

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        self.asked[query.query_id, llm] += 1
        if self._rng.random() < 0.1:  # a circuit that is open
            return Outcome("", 0, 0, 0.0, 0.0, error="not asked", n_attempts=0)
        n_attempts, cost_usd = 1, self._send(llm)
        while (failed := self._rng.random() < 0.4) and n_attempts <= POOL.max_retries:
            if not self._budget.reserve(WORST_USD[llm]):
                break
            n_attempts, cost_usd = n_attempts + 1, self._send(llm)
        if failed:
            return Outcome("", 0, 0, 0.0, 0.1, error="HTTP 500", n_attempts=n_attempts)
        return Outcome(f"answer {self.n_requests}", 1, 1, cost_usd, 0.1, n_attempts=n_attempts)

    def ask_many(self, requests: Iterable[Request], *, concurrency: int | None = None) -> Answers:
        numbered, in_flight = enumerate(requests), list[tuple[int, Request]]()
        while True:
            in_flight += islice(numbered, (concurrency or self._max_in_flight) - len(in_flight))
            if not in_flight:
                return
            number, request = in_flight.pop(self._rng.integers(len(in_flight)))
            yield number, self.ask(*request)

    def close(self) -> None: ...

    def _send(self, llm: int) -> float:
        cost_usd = float(self._rng.choice([0.0, 1.0, WORST_USD[llm]]))
        self.paid_usd += cost_usd
        self.n_requests += 1
        return cost_usd


def journal_at(path: Path) -> Journal:
    return open_journal(path, POOL, QUERIES.sha256, concurrency=8, resume=True)


def draw(rng: np.random.Generator, n: int) -> list[Request]:
    return [Request(QUERIES[int(rng.integers(4))], int(rng.integers(2))) for _ in range(n)]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**31),
    max_usd=st.one_of(st.none(), st.integers(0, 20_000)),
    max_requests=st.one_of(st.none(), st.integers(0, 60)),
    concurrency=st.sampled_from([None, 1, 3, 8]),
    has_journal=st.booleans(),
)
def test_a_budget_is_never_exceeded_whatever_fails_and_however_often_it_is_resumed(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    max_usd: int | None,
    max_requests: int | None,
    concurrency: int | None,
    has_journal: bool,
):
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("j") / "journal"
    paid_usd, n_requests, budget = 0.0, 0, Budget(max_usd, max_requests)
    for _ in range(3):
        journal = journal_at(path) if has_journal else None
        if journal is not None:
            budget = Budget(max_usd, max_requests)  # of a new process: all it knows is in the journal
            charge_journal(budget, journal, POOL, QUERIES)
            assert budget.spent_usd >= paid_usd - 1e-6
        live = FaultyBackend(budget, rng)
        with closing(JournalledBackend(live, POOL, budget, journal)) as backend:
            requests = draw(rng, 25)
            interrupted_at = int(rng.integers(1, 40))
            answers = backend.ask_many(requests, concurrency=concurrency)
            got = dict(islice(answers, interrupted_at))
            answers.close()
            backend.ask(*requests[0])
        paid_usd, n_requests = paid_usd + live.paid_usd, n_requests + live.n_requests
        assert len(got) == min(interrupted_at, len(requests))
        # What was lost counts as more than it was, so the budget itself may say more than its bound.
        assert paid_usd <= budget.spent_usd + 1e-6
        assert n_requests <= budget.n_requests
        assert max_usd is None or paid_usd <= max_usd + 1e-6
        assert max_requests is None or n_requests <= max_requests


def answered(path: Path | None, budget: Budget | None = None) -> tuple[FaultyBackend, JournalledBackend]:
    """Return a backend that always answers at once, for 1 USD, and the one that keeps what it says."""

    class Good(FaultyBackend):
        def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
            self.asked[query.query_id, llm] += 1
            return Outcome(f"{query.query_id} {llm} {self.asked[query.query_id, llm]}", 1, 1, 1.0, 0.1)

    budget = budget or Budget()
    live = Good(budget, np.random.default_rng(0))
    return live, JournalledBackend(live, POOL, budget, None if path is None else journal_at(path))


def responses(backend: JournalledBackend, requests: list[Request]) -> list[str]:
    answers = dict(backend.ask_many(requests))
    return [answers[number].response for number in range(len(requests))]


ASKED = [Request(QUERIES[0], 0), Request(QUERIES[0], 0), Request(QUERIES[1], 0), Request(QUERIES[0], 1)]


def test_each_journalled_outcome_is_given_to_one_ask_of_its_query_and_llm(tmp_path: Path):
    live, first = answered(tmp_path / "j")
    said = responses(first, ASKED) + responses(first, ASKED)
    assert sorted(said) == ["q0 0 1", "q0 0 2", "q0 0 3", "q0 0 4", "q0 1 1", "q0 1 2", "q1 0 1", "q1 0 2"]
    first.close()
    live, again = answered(tmp_path / "j")
    assert responses(again, ASKED) + responses(again, ASKED) == said
    assert live.asked.total() == 0
    # What the journal lacks is sent: the fifth ask of q0 of "a", and the sixth.
    responses(again, ASKED[:2])
    assert live.asked == {("q0", 0): 2}
    assert again.ask(QUERIES[1], 0).response == "q1 0 1"  # this process's first of that LLM
    again.close()


def test_what_an_interrupted_caller_never_got_is_not_asked_again(tmp_path: Path):
    live, backend = answered(tmp_path / "j")
    answers = backend.ask_many(ASKED, concurrency=1)
    next(answers)
    next(answers)
    answers.close()
    assert live.asked.total() == 2
    responses(backend, ASKED)
    assert live.asked.total() == len(ASKED)
    backend.close()


def test_errors_are_asked_again_on_demand_only(tmp_path: Path):
    class Failing(FaultyBackend):
        def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
            self.asked[query.query_id, llm] += 1
            return Outcome("", 0, 0, 0.0, 0.1, error="HTTP 500")

    for retry_errors, n_asked in ((False, 1), (False, 0), (True, 1)):
        live = Failing(Budget(), np.random.default_rng(0))
        journal = journal_at(tmp_path / "j")
        with closing(JournalledBackend(live, POOL, Budget(), journal, retry_errors=retry_errors)) as backend:
            assert backend.ask(QUERIES[0], 0).error == "HTTP 500"
        assert live.asked.total() == n_asked


def test_a_request_waits_for_the_reservations_of_those_in_flight():
    # Room for one worst case at a time, and for four requests at what they really cost.
    live, backend = answered(None, Budget(WORST_USD[0] + 3))
    outcomes = dict(backend.ask_many([Request(QUERIES[0], 0)] * 5))
    assert [isinstance(outcomes[number], RefusedOutcome) for number in range(5)] == [False] * 4 + [True]
    assert live.asked.total() == 4
    assert backend.budget.spent_usd == 4.0
    assert outcomes[4].error == f"the budget of ${WORST_USD[0] + 3:g} is used up: $4 are spent"


def test_a_dear_request_is_refused_where_a_cheap_one_is_still_allowed():
    live, backend = answered(None, Budget(WORST_USD[0]))
    outcomes = dict(backend.ask_many([Request(QUERIES[0], 1), Request(QUERIES[0], 0)]))
    assert isinstance(outcomes[0], RefusedOutcome)
    assert outcomes[1].error is None
    assert live.asked == {("q0", 0): 1}


def test_a_refused_request_is_not_journalled(tmp_path: Path):
    live, backend = answered(tmp_path / "j", Budget(max_requests=1))
    outcomes = dict(backend.ask_many(ASKED))
    backend.close()
    assert [outcomes[number].error for number in (1, 2, 3)] == ["the budget of 1 requests is used up"] * 3
    assert len((tmp_path / "j").read_text().splitlines()) == 3  # header, request, outcome
    live, more = answered(tmp_path / "j")
    responses(more, ASKED)
    more.close()
    assert live.asked.total() == len(ASKED) - 1


def test_what_is_lost_counts_as_often_as_it_may_have_been_sent(tmp_path: Path):
    class Dies(FaultyBackend):
        def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
            raise KeyboardInterrupt

    budget = Budget()
    with (
        closing(
            JournalledBackend(Dies(budget, np.random.default_rng(0)), POOL, budget, journal_at(tmp_path / "j"))
        ) as b,
        pytest.raises(KeyboardInterrupt),
    ):
        b.ask(QUERIES[0], 0)
    assert (budget.spent_usd, budget.n_requests) == (WORST_USD[0], 1)
    later = Budget()
    with journal_at(tmp_path / "j") as journal:
        charge_journal(later, journal, POOL, QUERIES)
    assert (later.spent_usd, later.n_requests) == (3 * WORST_USD[0], 3)  # with its two retries


def test_requests_are_taken_as_late_as_they_can_be_sent():
    """They may depend on the outcomes so far."""
    _, backend = answered(None)
    taken: list[int] = []

    def requests() -> Iterator[Request]:
        for number in range(6):
            taken.append(number)
            yield Request(QUERIES[0], 0)

    for done, _ in enumerate(backend.ask_many(requests(), concurrency=2), start=1):
        assert len(taken) <= done + 1


def test_prices_that_are_not_known_are_not_reserved():
    live, _ = answered(None)
    backend = JournalledBackend(live, None, Budget())
    assert backend.ask(QUERIES[0], 0).response == "q0 0 1"
    assert backend.budget.spent_usd == 1.0


def test_a_journal_in_no_folder_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="there is no folder"):
        open_journal(tmp_path / "none" / "j", POOL, "", concurrency=1, resume=False)
