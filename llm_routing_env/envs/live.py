"""What scalar and vector environments share where LLMs are asked: whom, for how much, and what it is worth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.backends import MAX_IN_FLIGHT, Backend, Request, ScoredBackend, make_backend
from llm_routing_env.backends.budget import Budget, RefusedOutcome
from llm_routing_env.envs.options import LiveOptions, refuse_given
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.pools.pool import Pool, load_pool, shipped_pools
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.table import OutcomeTable

if TYPE_CHECKING:  # recorded sessions need none of it, and start in half the time without
    from llm_routing_env.recording.journalled import JournalledBackend


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
        pool = live_pool(backend, live.pool, problem["table"])
        self.problem = RoutingProblem(**problem, pool=pool, is_live=True)
        opened = open_backend(backend, self.problem, live)
        self._backend, self._budget = ScoredBackend(opened, self.problem.scorer), opened.budget

    @property
    def spent_usd(self) -> float:
        """US dollars spent so far, by all sessions."""
        return self._budget.spent_usd

    def ask(self, query: int, llm: int, *, is_available: bool = True) -> Outcome:
        """Return the scored outcome of one query on one LLM; nothing is sent to one that cannot be asked now."""
        if not is_available:
            return self._masked(llm)
        return self._backend.ask(self.problem.table.queries[query], llm)

    def ask_all(self, asked: Sequence[tuple[int, int, bool]]) -> list[Outcome]:
        """Return what `ask` does for several queries, LLMs and whether they are available, all at the same time."""
        queries = self.problem.table.queries
        requests = [Request(queries[query], llm) for query, llm, is_available in asked if is_available]
        answers = iter(self._backend.ask_all(requests))
        return [next(answers) if is_available else self._masked(llm) for _, llm, is_available in asked]

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


def open_backend(backend: str | Backend, problem: RoutingProblem, live: LiveOptions) -> "JournalledBackend":
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
        given = {name: value for name, value in live.given.items() if name not in ("pool", "max_in_flight", "stream")}
        refuse_given(given, "is for backends given by name; a JournalledBackend brings its own budget and journal")
        check_llms(backend, problem)
        return backend if isinstance(backend, JournalledBackend) else JournalledBackend(backend, problem.pool, Budget())
    if live.resume and live.journal is None:
        raise ValueError("resume=True needs the journal to go on with: give journal=<its file> too.")
    pool, queries = cast(Pool, problem.pool), problem.table.queries
    budget = Budget(live.max_usd, live.max_requests)
    at_once = MAX_IN_FLIGHT if live.max_in_flight is None else live.max_in_flight
    asked = make_backend(backend, pool, max_in_flight=at_once, stream=live.stream, budget=budget)
    if live.journal is None:
        return JournalledBackend(asked, pool, budget)
    opened = open_journal(live.journal, pool, queries.sha256, concurrency=at_once, resume=live.resume)
    warn_if_torn(opened, stacklevel=4)
    charge_journal(budget, opened, pool, queries)
    return JournalledBackend(asked, pool, budget, opened)


def check_llms(backend: Backend, problem: RoutingProblem) -> None:
    """Raise ValueError if the backend's LLMs are not the problem's."""
    if backend.llm_names != problem.task.llm_names:
        raise ValueError(f"The backend has the LLMs {backend.llm_names}, expected {problem.task.llm_names}.")
