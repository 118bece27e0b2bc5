"""What scalar and vector environments share where LLMs are asked: whom, for how much, and what it is worth."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.backends import MAX_IN_FLIGHT, Backend, Request, make_backend
from llm_routing_env.backends.budget import Budget, RefusedOutcome
from llm_routing_env.envs.options import LiveOptions, refuse_given
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.pools.pool import Pool, load_pool, shipped_pools
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.table import OutcomeTable

if TYPE_CHECKING:  # recorded sessions need none of it, and start in half the time without
    from llm_routing_env.backends.asker import Asker


class LiveLLMs:
    """The LLMs that live sessions ask.

    Attributes:
        problem: What is routed.
    """

    def __init__(self, backend: str | Backend, problem: Mapping[str, Any], live: LiveOptions) -> None:
        """Open the backend.

        Args:
            backend: A live backend's name, or a backend.
            problem: Arguments of `RoutingProblem`.
            live: Whom it asks, and what it may spend.
        """
        from llm_routing_env.rewards.scorers import get_scorer  # recorded sessions need none, and start sooner without

        pool = live_pool(backend, live.pool, problem["table"])
        self.problem = RoutingProblem(**problem, pool=pool, is_live=True)
        self._score = get_scorer(self.problem.scorer)
        self._backend = open_backend(backend, self.problem, live)
        # A backend of the user's own may have no budget: then outcomes are counted at what they say.
        self._own_budget = Budget()

    @property
    def spent_usd(self) -> float:
        """US dollars spent so far, by all sessions."""
        spent_usd: float = getattr(self._backend, "budget", self._own_budget).spent_usd
        return spent_usd

    def ask(self, asked: Sequence[tuple[int, int, bool]]) -> list[Outcome]:
        """Return the scored outcomes of queries that are asked at the same time.

        Args:
            asked: For each, the query, the LLM, and whether it can be asked now: nothing is sent to one that cannot.
        """
        queries = self.problem.table.queries
        requests = [Request(queries[query], llm) for query, llm, is_available in asked if is_available]
        answers = dict(self._backend.ask_many(requests))
        scored = iter(self._scored([answers[number] for number in range(len(requests))], requests))
        return [next(scored) if is_available else self._masked(llm) for _, llm, is_available in asked]

    def _scored(self, outcomes: Sequence[Outcome], requests: Sequence[Request]) -> list[Outcome]:
        """Fill in the accuracies; a failed call has accuracy 0."""
        good = [number for number, outcome in enumerate(outcomes) if outcome.error is None]
        accuracies = np.zeros(len(outcomes))
        if good:
            references = [requests[number].query.references for number in good]
            accuracies[good] = self._score([outcomes[number].response for number in good], references)
        self._own_budget.charge(sum(outcome.cost_usd for outcome in outcomes), len(outcomes))
        return [replace(outcome, accuracy=float(value)) for outcome, value in zip(outcomes, accuracies, strict=True)]

    @staticmethod
    def is_refused(outcome: Outcome) -> bool:
        """Return whether the budget did not allow the request, which ends the session."""
        return isinstance(outcome, RefusedOutcome)

    def rewards(self, outcomes: Sequence[Outcome]) -> NDArray[np.float64]:
        """Return the rewards of outcomes: within the bounds, and the lower one for an error."""
        low, high = self.problem.reward.bounds
        accuracy = np.array([outcome.accuracy for outcome in outcomes], dtype=np.float64)
        cost_usd = np.array([outcome.cost_usd for outcome in outcomes])
        latency_s = np.array([outcome.latency_s for outcome in outcomes])
        rewards = np.clip(self.problem.reward(accuracy, cost_usd, latency_s), low, high)
        return np.where([outcome.error is None for outcome in outcomes], rewards, low)

    def close(self) -> None:
        """Release the backend's connections and the journal; may be called twice."""
        self._backend.close()

    def _masked(self, llm: int) -> Outcome:
        error = f"{self.problem.task.llm_names[llm]} cannot be asked this query: its action is masked"
        return Outcome("", 0, 0, 0.0, 0.0, accuracy=0.0, error=error, n_attempts=0)


def live_pool(backend: str | Backend, pool: str | Path | Pool | None, table: str | Path | OutcomeTable) -> Pool | None:
    """Return the pool that a live backend asks; None if a backend was given without one."""
    if isinstance(pool, Pool):
        return pool
    return load_pool(pool or pool_name(table)) if isinstance(backend, str) else None


def pool_name(table: str | Path | OutcomeTable) -> str:
    """Return the name of the pool a table was recorded on.

    Raises:
        ValueError: If the table does not say, or the pool is not a shipped one.
    """
    name = load_table(table).metadata.get("pool", {}).get("name")
    if name not in shipped_pools():
        raise ValueError(
            f"The table was recorded on the pool {name!r}, which is not shipped: give pool=<its TOML file>."
        )
    return str(name)


def open_backend(backend: str | Backend, problem: RoutingProblem, live: LiveOptions) -> Backend:
    """Return a live backend with a budget, and with a journal if there is to be one; see `PickLLMEnv`.

    Raises:
        ValueError: For arguments that cannot be, other LLMs than the problem's, or a journal that is not this one's.
        ServingError: If the pool is not being served.
    """
    if problem.reward.extra_terms:
        raise ValueError(
            f"extra_terms {dict(problem.reward.extra_terms)} need recorded outcomes: a live LLM's has no further "
            "measure. Leave extra_terms out, or use backend='table'."
        )
    if not isinstance(backend, str):
        given = {name: value for name, value in live.given.items() if name != "pool"}
        refuse_given(given, "is for backends given by name; one of make_backend brings its own")
        check_llms(backend, problem)
        return backend
    if live.resume and live.journal is None:
        raise ValueError("resume=True needs the journal to go on with: give journal=<its file> too.")
    budget = Budget(live.max_usd, live.max_requests)
    at_once = MAX_IN_FLIGHT if live.max_in_flight is None else live.max_in_flight
    return make_live_backend(
        backend,
        cast(Pool, problem.pool),
        budget,
        live.journal,
        resume=live.resume,
        max_in_flight=at_once,
        stream=live.stream,
    )


def make_live_backend(
    name: str, pool: Pool, budget: Budget, journal: str | Path | None, *, resume: bool, **options: Any
) -> "Asker":
    """Return a live backend whose journal, if it is to have one, is opened first; "{pid}" is the process's number.

    Args:
        name: The backend's name.
        pool: The LLMs.
        budget: What may be spent.
        journal: The journal's file.
        resume: Whether to go on with one that is there.
        **options: See `make_backend`.

    Raises:
        ValueError: See `make_backend`; or the journal is in the way, in use, damaged, or of another pool.
        OSError: The journal cannot be written.
    """
    if journal is None:
        return make_backend(name, pool, budget=budget, **options)
    from llm_routing_env.backends.journal import Journal

    opened = Journal(str(journal).replace("{pid}", str(os.getpid())), resume=resume)
    try:
        if opened.n_damaged:
            damaged = f"{opened.n_damaged} damaged outcomes are not used; their queries are asked again"
            warnings.warn(f"{opened.path}: {damaged}.", stacklevel=5)
        return make_backend(name, pool, budget=budget, journal=opened, **options)
    except BaseException:
        opened.close()
        raise


def check_llms(backend: Backend, problem: RoutingProblem) -> None:
    """Raise ValueError if the backend's LLMs are not the problem's."""
    if backend.llm_names != problem.task.llm_names:
        raise ValueError(f"The backend has the LLMs {backend.llm_names}, expected {problem.task.llm_names}.")
