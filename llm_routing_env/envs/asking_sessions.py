"""Sessions in which several LLMs may be asked each query: which query each is at, and what is seen of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llm_routing_env.agents import RoutingTask
from llm_routing_env.agents.parts.ask_view import observation_of_asks, size_of_asks
from llm_routing_env.envs.actions import masked_error
from llm_routing_env.envs.asks import Asks, AskStep
from llm_routing_env.envs.options import NEEDS_LIVE, LiveOptions, MultiOptions, refuse_given
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.envs.recorded_answers import RecordedAnswers

if TYPE_CHECKING:  # recorded sessions need none of it, and start sooner without
    from llm_routing_env.backends import Backend
    from llm_routing_env.envs.live import LiveLLMs
    from llm_routing_env.envs.live_answers import LiveAnswers

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class AskingSessions:
    """`n_sessions` independent sessions of one problem, each with a query that waits.

    Attributes:
        problem: What is routed.
        task: What an agent may know before it starts; its actions are the environment's, its bounds those of a query.
        live: What live LLMs answered; None where the table knows.
    """

    live: LiveAnswers | None

    def __init__(
        self, problem: RoutingProblem, options: MultiOptions, n_sessions: int, live: LiveLLMs | None = None
    ) -> None:
        """Set them up; each has still to begin.

        Args:
            problem: What is routed.
            options: How LLMs are asked.
            n_sessions: How many sessions.
            live: Whom to ask; None: the table knows.

        Raises:
            ValueError: For a problem that several asks make no sense of, or an option out of range.
        """
        self.problem, self._n_llms = problem, len(problem.task.llm_names)
        _check(problem, options, self._n_llms)
        n_asks, self.live = options.max_asks or self._n_llms, None
        self.task = self._task(options)
        answers: RecordedAnswers | LiveAnswers
        if live is None:
            answers = RecordedAnswers(problem, votes=n_asks > 1)
        else:
            from llm_routing_env.envs.live_answers import LiveAnswers

            answers = self.live = LiveAnswers(live, n_sessions, votes=n_asks > 1)
        self._asks = Asks(
            problem,
            answers,
            n_sessions,
            parallel=options.parallel,
            max_asks=n_asks,
            measures=options.measures,
            bounds=None if live is None else self.task.reward_bounds,
        )
        # A session shows its last query again when it has ended.
        shape = (n_sessions, options.n_queries + 1)
        self._queries, self._places = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        self._available = np.ones((*shape, self._n_llms), dtype=bool) if problem.is_masked else None
        self._rows, self._length = np.arange(n_sessions), options.n_queries
        self._position, self._ends = (np.zeros(n_sessions, dtype=np.int64) for _ in range(2))

    def _task(self, options: MultiOptions) -> RoutingTask:
        problem, reward, n_asks = self.problem, self.problem.reward, options.max_asks or self._n_llms
        dearest_usd, slowest_s = n_asks * reward.max_cost_usd, n_asks * reward.max_latency_s
        lowest = min(float(reward(0.0, dearest_usd, latency_s)) for latency_s in (0.0, slowest_s))
        return replace(
            problem.task,
            n_actions=self._n_llms + 1,
            observation_size=problem.observations.shape[1] + size_of_asks(self._n_llms, len(options.measures)),
            observation=observation_of_asks(problem.observation, options.measures),
            reward_bounds=(min(lowest, reward.bounds[0]), reward.bounds[1]),
        )

    @property
    def observation_space(self) -> spaces.Box:
        """The space of what is seen of a query and its asks."""
        query = self.problem.observation_space
        assert isinstance(query, spaces.Box)
        n_asks = self.task.observation_size - len(query.low)
        low, high = np.append(query.low, np.full(n_asks, -1.0)), np.append(query.high, np.ones(n_asks))
        return spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)

    def begin(
        self, sessions: Mask, rngs: Sequence[np.random.Generator], contexts: Sequence[str | None], *, anew: bool
    ) -> None:
        """Draw some sessions; unless `anew` those that have queries left go on with them."""
        for row in np.flatnonzero(sessions & (self.have_ended | anew)).tolist():
            session = self.problem.draw_session(rngs[row], contexts[row])
            length = min(len(session), self._length)
            steps = np.minimum(np.arange(self._length + 1), length - 1)
            self._queries[row] = session.queries[steps]
            self._places[row] = session.cells[steps] // self.problem.table.n_llms
            if self._available is not None and session.available is not None:
                self._available[row] = session.available[steps]
            self._position[row], self._ends[row] = 0, length
        self._asks.begin(sessions)

    @property
    def have_ended(self) -> Mask:
        """Which sessions have no query left, shape (sessions,)."""
        return self._position >= self._ends

    @property
    def queries(self) -> Ints:
        """The query that each session waits with, shape (sessions,); after the last one that one."""
        return np.asarray(self._queries[self._rows, self._position])

    @property
    def cells(self) -> Ints:
        """The number of its first LLM's cell, see `Cells`; shape (sessions,)."""
        return self._at * self.problem.table.n_llms

    @property
    def _at(self) -> Ints:
        return np.asarray(self._places[self._rows, self._position])

    def step(self, actions: Ints, routing: Mask) -> AskStep:
        """Act in the sessions that route; one whose query is done goes on to its next.

        Raises:
            ValueError: For an LLM that cannot be asked.
        """
        if self._available is not None:
            self._refuse_unavailable(actions, routing)
        step = self._asks.step(actions, self._at, routing)
        self._position += step.is_accept
        self._asks.begin(step.is_accept)
        return step

    def observe(self) -> NDArray[np.float32]:
        """Return what is seen now, a fresh array of shape (sessions, observation size)."""
        asked = self._asks.seen(self._at)
        return np.concatenate([self.problem.observations.take(self.queries, axis=0), asked], axis=1)

    def action_masks(self) -> Mask:
        """Return which actions are of use now, shape (sessions, LLMs + 1)."""
        useful = self._asks.useful()
        if self._available is not None:
            useful[:, :-1] &= self._available[self._rows, self._position] | (self._asks.order > 0)
        return useful

    def _refuse_unavailable(self, actions: Ints, routing: Mask) -> None:
        assert self._available is not None
        llms = np.minimum(actions, self._n_llms - 1)
        is_available = self._available[self._rows, self._position, llms]
        refused = routing & self._asks.would_ask(actions) & ~is_available
        if refused.any():
            row = int(np.argmax(refused))
            name = self.problem.task.llm_names[actions[row]]
            raise masked_error(int(actions[row]), name, row if len(actions) > 1 else None)


def asking_sessions(
    backend: str | Backend, problem: Mapping[str, Any], options: MultiOptions, live: LiveOptions, n_sessions: int
) -> tuple[RoutingProblem, AskingSessions]:
    """Return the problem and its sessions, on recorded outcomes or on live LLMs.

    Args:
        backend: "table", the name of a live backend, or one.
        problem: Arguments of `RoutingProblem`.
        options: How LLMs are asked.
        live: Whom a live backend asks, and what it may spend.
        n_sessions: How many sessions.

    Raises:
        ValueError: See `AskingSessions`; also for an argument of live LLMs without any.
    """
    if backend == "table":
        refuse_given(live.given, NEEDS_LIVE)
        recorded = RoutingProblem(**problem)
        return recorded, AskingSessions(recorded, options, n_sessions)
    from llm_routing_env.envs.live import LiveLLMs

    llms = LiveLLMs(backend, problem, live)
    try:
        return llms.problem, AskingSessions(llms.problem, options, n_sessions, llms)
    except BaseException:
        llms.close()
        raise


def _check(problem: RoutingProblem, options: MultiOptions, n_llms: int) -> None:
    whose = f"the pool {problem.pool.name}" if problem.pool else f"the table {problem.table.name}"
    if n_llms < 2:
        raise ValueError(f"Several asks need two LLMs or more, and {whose} has one: take PickLLM-v0 for it.")
    if problem.is_live and options.measures:
        raise ValueError(f"measures {list(options.measures)} are of recorded outcomes: a live LLM's has none.")
    if options.max_asks is not None and not 1 <= options.max_asks <= n_llms:
        raise ValueError(f"max_asks must be 1 to {n_llms}, the number of LLMs, got {options.max_asks}.")
    if problem.observations.ndim < 2:
        raise ValueError(
            f"Several asks are seen as numbers beside the query's, got observation={problem.observation!r}: "
            'take one of numbers, such as "embedding".'
        )
    if problem.reward.extra_terms:
        raise ValueError("extra_terms cannot be had with several asks: whether a measure adds up is not known.")
