"""The rule of several asks: what each costs, who agrees with whom, and what an accepted answer is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.ask_view import write_asks
from llm_routing_env.envs.answer_measures import answer_measure
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.rewards.same_answers import NO_ANSWER

if TYPE_CHECKING:
    from llm_routing_env.envs.live_answers import LiveAnswers
    from llm_routing_env.envs.recorded_answers import RecordedAnswers

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
NOBODY = -1


@dataclass(frozen=True, eq=False)
class AskStep:
    """What one action did in each session, every array of shape (sessions,).

    Attributes:
        is_ask: Whether an LLM was asked.
        is_accept: Whether an answer was accepted, and the query is done.
        is_refused: Whether a live LLM would have been asked, and the budget did not allow it.
        llms: Who was asked, or whose answer was accepted; `NOBODY`: neither.
        cells: Its cell, see `Cells`; means nothing for `NOBODY`.
        rewards: Of this step.
        query_rewards: The sum over the query's steps so far.
        n_asks, cost_usd, latency_s: Of the query so far.
        accuracy: Of the accepted answer, as it is told; else 0.
        terms: The reward's weighted terms.
        truths: true_accuracy and true_query_reward where what is told differs from it.
    """

    is_ask: Mask
    is_accept: Mask
    is_refused: Mask
    llms: Ints
    cells: Ints
    rewards: Floats
    query_rewards: Floats
    n_asks: Ints
    cost_usd: Floats
    latency_s: Floats
    accuracy: Floats
    terms: Mapping[str, Floats]
    truths: Mapping[str, Floats]


class Asks:
    """The query that each session is at, and who was asked it so far.

    Attributes:
        order: Ask number of each LLM, from 1; 0: not asked; shape (sessions, LLMs).
        n_asks: How many were, shape (sessions,).
        is_closed: Whether the answers of parallel asks have come, shape (sessions,).
    """

    def __init__(
        self,
        problem: RoutingProblem,
        answers: "RecordedAnswers | LiveAnswers",
        n_sessions: int,
        *,
        parallel: bool,
        max_asks: int,
        measures: Sequence[str],
        bounds: tuple[float, float] | None = None,
    ) -> None:
        """Begin a query in every session.

        Args:
            problem: What is routed.
            answers: What LLMs answer.
            n_sessions: How many sessions.
            parallel: See `PickLLMMultiEnv`.
            max_asks: As well.
            measures: As well.
            bounds: What a query is worth at least and at most, whatever live LLMs do; None: as it comes.
        """
        self._answers, self._n_llms = answers, len(problem.task.llm_names)
        self._reward, self._low, self._bounds = problem.reward, problem.reward.bounds[0], bounds
        self._parallel, self._max_asks = parallel, max_asks
        self._measures = [answer_measure(problem, name) for name in measures]
        shape, self._rows = (n_sessions, self._n_llms), np.arange(n_sessions)
        self.order, self._group, self._votes = (np.zeros(shape, dtype=np.int64) for _ in range(3))
        self.n_asks, self._n_groups = (np.zeros(n_sessions, dtype=np.int64) for _ in range(2))
        self._spent_usd, self._waited_s, self._paid = (np.zeros(n_sessions) for _ in range(3))
        self.is_closed = np.zeros(n_sessions, dtype=bool)

    def begin(self, sessions: Mask) -> None:
        """Begin a query in some sessions."""
        for state in (self.order, self._group, self._votes, self.n_asks, self._n_groups):
            state[sessions] = 0
        for amount in (self._spent_usd, self._waited_s, self._paid):
            amount[sessions] = 0.0
        self.is_closed[sessions] = False

    def would_ask(self, actions: Ints) -> Mask:
        """Return where an action asks an LLM, shape (sessions,); elsewhere it closes or accepts."""
        is_new = self.order[self._rows, np.minimum(actions, self._n_llms - 1)] == 0
        return np.asarray((actions < self._n_llms) & is_new & (self.n_asks < self._max_asks) & ~self.is_closed)

    def step(self, actions: Ints, places: Ints, routing: Mask) -> AskStep:
        """Ask, close or accept, as each action says; do nothing in sessions that do not route.

        Args:
            actions: The LLM to ask, or to accept if it was asked; LLMs: accept the vote.
            places: Where each session's query is in its repeat: `cell // LLMs` of any of its cells.
            routing: Which sessions route.
        """
        named = np.minimum(actions, self._n_llms - 1)
        was_asked = (actions < self._n_llms) & (self.order[self._rows, named] > 0)
        is_ask = routing & self.would_ask(actions)
        asking = np.flatnonzero(is_ask)
        is_refused = np.zeros_like(is_ask)
        is_refused[asking] = self._answers.ask(asking, named[asking], places[asking])
        wants, is_ask = is_ask, is_ask & ~is_refused
        closes = routing & ~wants & (self.n_asks > 0) & ~self.is_closed if self._parallel else np.zeros_like(is_ask)
        is_accept = routing & ~wants & ~closes
        llms = np.where(wants | was_asked, named, self._vote())
        cells = places * self._n_llms + llms
        self._charge(is_ask, cells)
        asking = np.flatnonzero(is_ask)
        self._hear(asking, llms[asking], places[asking])
        self.is_closed |= closes
        llms = np.where(closes | is_refused | (self.n_asks == 0), NOBODY, llms)
        return self._settle(is_ask, is_accept, is_refused, llms, cells)

    def _vote(self) -> Ints:
        """Return whose answer most of the asked LLMs gave, the earliest asked of them; shape (sessions,)."""
        votes = self._votes * (self._n_llms + 1) - self.order  # nobody asked later outweighs a vote more
        return np.asarray(np.where(self.order > 0, votes, -self._n_llms - 1).argmax(axis=1))

    def _charge(self, is_ask: Mask, cells: Ints) -> None:
        cost_usd, waited_s = self._answers.paid(cells)
        waited_s = np.maximum(self._waited_s, waited_s) if self._parallel else self._waited_s + waited_s
        self._spent_usd = np.where(is_ask, self._spent_usd + cost_usd, self._spent_usd)
        self._waited_s = np.where(is_ask, waited_s, self._waited_s)

    def _hear(self, sessions: Ints, llms: Ints, places: Ints) -> None:
        """Note who was asked, and with whom each agrees; the arrays have the shape (asks,)."""
        self.n_asks[sessions] += 1
        self.order[sessions, llms] = self.n_asks[sessions]
        answers = self._answers.numbers(sessions, places)
        if answers is None:
            return
        answer = answers[np.arange(len(llms)), llms]
        agrees = (answers == answer[:, None]) & (self._group[sessions] > 0)  # with whom was asked before
        is_first, speaks = ~agrees.any(axis=1), answer != NO_ANSWER
        self._n_groups[sessions] += is_first & speaks
        groups = np.where(is_first, self._n_groups[sessions], self._group[sessions, agrees.argmax(axis=1)])
        votes = agrees.sum(axis=1) + 1
        self._votes[sessions] = np.where(agrees, votes[:, None], self._votes[sessions])
        self._group[sessions, llms], self._votes[sessions, llms] = groups * speaks, votes * speaks

    def _settle(self, is_ask: Mask, is_accept: Mask, is_refused: Mask, llms: Ints, cells: Ints) -> AskStep:
        """Return what the step did; a step's reward is by how much the query's has changed."""
        accuracy, failed = self._answers.right(cells)
        right = is_accept & (llms != NOBODY) & ~failed
        lost, before = (is_accept | is_refused) & ~right, self._paid.copy()
        accuracy = np.where(right, accuracy, 0.0)
        worth, terms = self._worth(accuracy, lost)
        truths = {}
        if self._answers.true_accuracy is not None:
            true_accuracy = np.where(right, self._answers.true_accuracy[cells], 0.0)
            truths = {"true_accuracy": true_accuracy, "true_query_reward": self._worth(true_accuracy, lost)[0]}
        self._paid = np.where(is_ask | is_accept | is_refused, worth, before)
        return AskStep(
            is_ask=is_ask,
            is_accept=is_accept,
            is_refused=is_refused,
            llms=llms,
            cells=cells,
            rewards=self._paid - before,
            query_rewards=self._paid.copy(),
            n_asks=self.n_asks.copy(),
            cost_usd=self._spent_usd.copy(),
            latency_s=self._waited_s.copy(),
            accuracy=accuracy,
            terms=terms,
            truths=truths,
        )

    def _worth(self, accuracy: Floats, lost: Mask) -> tuple[Floats, dict[str, Floats]]:
        """Return what the queries are worth at these accuracies, or with a lost answer, and the terms."""
        terms = self._reward.terms(accuracy, self._spent_usd, self._waited_s)
        least = np.where(self.n_asks > 0, np.minimum(self._low, self._paid), self._low)
        worth = np.where(lost, least, self._reward.combine(terms))
        return (worth if self._bounds is None else np.clip(worth, *self._bounds)), terms

    def useful(self) -> Mask:
        """Return which actions are of use, shape (sessions, LLMs + 1); the others are legal, and accept the vote.

        Asking again is of none once the asks are closed or used up; voting is of none before the first.
        """
        is_over = self.is_closed | (self.n_asks >= self._max_asks)
        return np.concatenate([(self.order > 0) | ~is_over[:, None], self.n_asks[:, None] > 0], axis=1)

    def seen(self, places: Ints) -> NDArray[np.float32]:
        """Return what is seen of the asks, shape (sessions, numbers), see `AskView`."""
        shown = self.order > 0
        if self._parallel:
            shown &= self.is_closed[:, None]
        share = self._votes / np.maximum(self.n_asks, 1)[:, None]
        measured = [measure(places, shown) for measure in self._measures]
        return write_asks(self.order, self._group * shown, share * shown, measured, self.is_closed)
