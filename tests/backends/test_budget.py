"""The budget: what is reserved, what is spent, and what is refused."""

import copy
import pickle
import threading

import pytest

from llm_routing_env.backends.budget import Budget, paid_usd
from llm_routing_env.tables.outcome import Outcome


def outcome(*, cost_usd: float = 0.25, error: str | None = None, n_attempts: int = 1) -> Outcome:
    return Outcome("yes", 1, 1, cost_usd, 0.1, error=error, n_attempts=n_attempts)


@pytest.mark.parametrize(
    ("given", "expected_usd"),
    [
        (outcome(), 0.25),
        (outcome(n_attempts=3), 0.25 + 2 * 4.0),  # two failed requests before it
        (outcome(error="HTTP 500"), 4.0),
        (outcome(error="HTTP 500", n_attempts=3), 12.0),
        (outcome(error="the circuit is open", n_attempts=0), 0.0),
    ],
)
def test_failed_requests_count_at_their_worst(given: Outcome, expected_usd: float):
    assert paid_usd(given, 4.0) == expected_usd
    budget = Budget()
    for _ in range(max(given.n_attempts, 1)):
        budget.reserve(4.0)
    budget.end(4.0, given)
    assert (budget.spent_usd, budget.n_requests) == (expected_usd, given.n_attempts)
    # Nothing is set aside any longer.
    budget.max_usd = expected_usd + 1.0
    assert budget.reserve(1.0)


def test_nothing_is_set_aside_for_what_is_refused():
    budget = Budget(max_usd=10.0, max_requests=2)
    assert [budget.reserve(usd) for usd in (6.0, 5.0, 4.0, 0.0)] == [True, False, True, False]
    assert budget.refusal == "the budget of 2 requests is used up"
    budget.release(4.0)
    assert [budget.reserve(usd) for usd in (4.5, 4.0)] == [False, True]
    refused = Budget(max_usd=1.0).refused()
    assert (refused.error, refused.n_attempts, refused.cost_usd) == (
        "the budget of $1 is used up: $0 are spent",
        0,
        0.0,
    )


def test_threads_that_share_a_budget_never_exceed_it():
    budget, sent = Budget(max_usd=100.0, max_requests=150), []

    def spend() -> None:
        for _ in range(50):
            if budget.reserve(1.0):
                sent.append(1.0)
                budget.settle(1.0, spent_usd=1.0)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 100
    assert budget.spent_usd == 100.0


def test_a_budget_is_one():
    for double in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            double(Budget())
