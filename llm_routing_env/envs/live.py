"""What scalar and vector environments share where LLMs are asked: the backend, and what its outcomes are worth."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.backends import Backend, LiveBackend, make_backend
from llm_routing_env.envs.problem import NUMBERS, RoutingProblem, pool_name
from llm_routing_env.outcomes import Outcome, OutcomeTable
from llm_routing_env.pool import Pool, load_pool

AnyBackend = TypeVar("AnyBackend", bound=Backend)


def open_backend(
    backend: str | AnyBackend,
    pool: str | Path | Pool | None,
    table: str | Path | OutcomeTable,
    **options: Any,
) -> tuple[LiveBackend | AnyBackend, Pool | None]:
    """Return a live backend, made by name with `options` unless it is one already, and its pool where it is known."""
    if not isinstance(backend, str):
        return backend, pool if isinstance(pool, Pool) else None
    live_pool = pool if isinstance(pool, Pool) else load_pool(pool or pool_name(table))
    return make_backend(backend, live_pool, **options), live_pool


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
    problem: RoutingProblem, info: str, query: int, llm: int, outcome: Outcome, next_query: int
) -> dict[str, Any]:
    """Return the info of a step.

    Args:
        problem: Knows the regrets.
        info: "full", "numbers" or "none".
        query: Index of the query that was routed.
        llm: The LLM it was routed to.
        outcome: What came of it, scored.
        next_query: Index of the query that the observation is of.
    """
    if info == "none":
        return {}
    numbers: dict[str, Any] = {key: getattr(outcome, key) for key in NUMBERS} | problem.regrets(query, llm)
    numbers["ttft_s"] = math.nan if outcome.ttft_s is None else outcome.ttft_s
    if info == "numbers":
        return numbers
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
