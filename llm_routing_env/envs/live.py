"""What scalar and vector environments share where LLMs are asked: the backend, and what its outcomes are worth."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.backends import MAX_IN_FLIGHT, Backend, make_backend
from llm_routing_env.backends.budget import Budget, RefusedOutcome
from llm_routing_env.envs.problem import NUMBERS, RoutingProblem, pool_name
from llm_routing_env.pools.pool import Pool, load_pool
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.table import OutcomeTable

if TYPE_CHECKING:  # recorded sessions need none of it, and start in half the time without
    from llm_routing_env.recording.journalled import JournalledBackend


def live_pool(backend: str | Backend, pool: str | Path | Pool | None, table: str | Path | OutcomeTable) -> Pool | None:
    """Return the pool that a live backend asks; None if a backend was given without one."""
    if isinstance(pool, Pool):
        return pool
    return load_pool(pool or pool_name(table)) if isinstance(backend, str) else None


def open_backend(
    backend: str | Backend,
    problem: RoutingProblem,
    *,
    max_usd: float | None = None,
    max_requests: int | None = None,
    max_in_flight: int | None = None,
    journal: str | Path | None = None,
    resume: bool = False,
    stream: bool = False,
) -> "JournalledBackend":
    """Return a live backend with a budget, and with a journal if there is to be one; see `PickLLMEnv`.

    Raises:
        ValueError: For arguments that cannot be, other LLMs than the problem's, or a journal that is not this one's.
        ServingError: If the pool is not being served.
    """
    from llm_routing_env.recording.journalled import JournalledBackend, charge_journal, open_journal, warn_if_torn

    if problem.reward.extra_terms:
        raise ValueError(
            f"extra_terms {dict(problem.reward.extra_terms)} need recorded outcomes: a live LLM's has no further "
            "measure. Leave extra_terms out, or use backend='table'."
        )
    if not isinstance(backend, str):
        given = {"max_usd": max_usd, "max_requests": max_requests, "journal": journal, "resume": resume}
        refuse_given(given, "is for backends given by name; a JournalledBackend brings its own budget and journal")
        check_llms(backend, problem)
        return backend if isinstance(backend, JournalledBackend) else JournalledBackend(backend, problem.pool, Budget())
    if resume and journal is None:
        raise ValueError("resume=True needs the journal to go on with: give journal=<its file> too.")
    pool, queries = cast(Pool, problem.pool), problem.table.queries
    budget, at_once = Budget(max_usd, max_requests), MAX_IN_FLIGHT if max_in_flight is None else max_in_flight
    live = make_backend(backend, pool, max_in_flight=at_once, stream=stream, budget=budget)
    if journal is None:
        return JournalledBackend(live, pool, budget)
    opened = open_journal(journal, pool, queries.sha256, concurrency=at_once, resume=resume)
    warn_if_torn(opened, stacklevel=3)
    charge_journal(budget, opened, pool, queries)
    return JournalledBackend(live, pool, budget, opened)


def refuse_given(arguments: Mapping[str, Any], reason: str) -> None:
    """Raise ValueError if any argument was given."""
    for name, value in arguments.items():
        if value is not None and value is not False:
            raise ValueError(f"{name}={value!r} {reason}.")


def check_llms(backend: Backend, problem: RoutingProblem) -> None:
    """Raise ValueError if the backend's LLMs are not the problem's."""
    if backend.llm_names != problem.task.llm_names:
        raise ValueError(f"The backend has the LLMs {backend.llm_names}, expected {problem.task.llm_names}.")


def live_rewards(problem: RoutingProblem, outcomes: Sequence[Outcome]) -> NDArray[np.float64]:
    """Return the rewards of outcomes that no table holds: within the bounds, and the lower one for an error."""
    low, high = problem.reward.bounds
    accuracy = np.array([outcome.accuracy for outcome in outcomes], dtype=np.float64)
    cost_usd = np.array([outcome.cost_usd for outcome in outcomes])
    latency_s = np.array([outcome.latency_s for outcome in outcomes])
    rewards = np.clip(problem.reward(accuracy, cost_usd, latency_s), low, high)
    return np.where([outcome.error is None for outcome in outcomes], rewards, low)


def describe(
    problem: RoutingProblem, info: str, query: int, llm: int, outcome: Outcome, next_query: int, spent_usd: float
) -> dict[str, Any]:
    """Return the info of a step.

    Args:
        problem: Knows the regrets.
        info: "full", "numbers" or "none".
        query: Index of the query that was routed.
        llm: The LLM it was routed to.
        outcome: What came of it, scored.
        next_query: Index of the query that the observation is of.
        spent_usd: By all sessions of the environment so far.
    """
    why_ended = {"error": outcome.error} if isinstance(outcome, RefusedOutcome) else {}
    if info == "none":
        return why_ended
    numbers: dict[str, Any] = {key: getattr(outcome, key) for key in NUMBERS} | problem.regrets(query, llm)
    numbers["ttft_s"] = math.nan if outcome.ttft_s is None else outcome.ttft_s
    numbers["spent_usd"] = spent_usd
    if info == "numbers":
        return numbers | why_ended
    asked = problem.table.queries[query]
    terms = problem.reward.terms(outcome.accuracy, outcome.cost_usd, outcome.latency_s)
    return numbers | {
        "query_id": asked.query_id,
        "context": asked.context,
        "prompt": asked.prompt,
        "llm": problem.task.llm_names[llm],
        "response": outcome.response,
        "error": outcome.error,
        "reward_terms": {name: float(term) for name, term in terms.items()},
        "next_prompt": problem.table.queries[next_query].prompt,
    }
