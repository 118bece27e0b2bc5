"""Subset vote: asks the few LLMs that are most probably right, and weighs their votes by that.

SelectLLM (Maurya, Srivatsa, Kochmar 2024, arXiv 2408.08545).
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.ask_view import AskView
from llm_routing_env.agents.parts.asking_agent import AskingAgent
from llm_routing_env.agents.parts.asking_table import AskingTable
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray
from llm_routing_env.agents.parts.task import RoutingTask

SIZES = (1, 2, 3, 5)
POSITIVE = "positive"


class SubsetVote(AskingAgent):
    """Asks the LLMs that are most probably right, best first; the answer with the most accuracy behind it wins.

    It stops as soon as those that are left could not change the winner: the same answer for fewer asks. Of the LLMs
    that gave it, the one that is most probably right is accepted.

    Kept of SelectLLM: a classifier says which LLMs will be right, a small subset votes, weighted by its confidence.
    Ours: a linear model of the embedding where the paper has RoBERTa; a size that earns most on the training queries,
    by models that have not seen them (the paper's rule for its size is not to be had: "positive" is what is known of
    it); and that it stops early.

    Attributes:
        n_asks: How many are asked at most, shape (); 0: all that are right with a probability of 0.5 or more.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        size: int | str | None = None,
    ) -> None:
        """Start without a model.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            size: How many LLMs vote at most; "positive": all that are right with a probability of 0.5 or more, and at
                least one; None: of 1, 2, 3 and 5 what earns most on the training queries.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        is_count = isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= self._n_llms
        self._require(size in (None, POSITIVE) or is_count, "size", f'None, "positive", or 1 to {self._n_llms}', size)
        self.size = size
        self.n_asks = np.zeros((), dtype=np.int64)

    def _fit(self, training_table: AskingTable) -> None:  # type: ignore[override]  # see AskingAgent.fit
        right = self._fit_accuracies(training_table)
        if self.size is not None:
            self.n_asks = np.array(0 if self.size == POSITIVE else int(self.size))
            return
        sizes = [size for size in SIZES if size <= self._n_llms]
        earned = []
        for size in sizes:
            asked, accepted = subset_vote(training_table.answers, right, chosen(right, size))
            earned.append(training_table.weights @ self._worth(training_table, asked, accepted))
        self.n_asks = np.array(sizes[int(np.argmax(earned))])

    def _ask(self, view: AskView) -> IntArray:
        right = self._accuracies(view.query)
        answers = np.where(view.group > 0, view.group, -1)
        following, accepted = next_step(answers, right, chosen(right, int(self.n_asks)), view.order > 0)
        return np.where(following >= 0, following, accepted)


def chosen(right: FloatArray, size: int) -> BoolArray:
    """Return who votes: the `size` LLMs that are most probably right; 0: all that are with 0.5 or more, or the best.

    Args:
        right: Shape (rows, LLMs).
        size: How many.
    """
    place = np.argsort(np.argsort(-right, axis=1, kind="stable"), axis=1, kind="stable")
    votes: BoolArray = place < size if size else (right >= 0.5) | (place == 0)
    return votes


def next_step(answers: IntArray, right: FloatArray, votes: BoolArray, asked: BoolArray) -> tuple[IntArray, IntArray]:
    """Return whom to ask next, -1 where the winner is certain, and whom to accept then, both of shape (rows,).

    Args:
        answers: Number of each LLM's answer, below 0: none, or not asked; shape (rows, LLMs).
        right: How probably each LLM is right: the weight of its vote; the same shape.
        votes: Who votes; the same shape.
        asked: Who was asked; the same shape.
    """
    weights = np.where(asked & (answers >= 0), right, 0.0)
    speaks = asked & (answers >= 0)
    same = (answers[:, :, None] == answers[:, None, :]) & speaks[:, None, :] & speaks[:, :, None]
    behind = np.where(speaks, (same * weights[:, None, :]).sum(axis=2), -1.0)  # each answer's weight, at its LLMs
    most = behind.max(axis=1, keepdims=True)
    leads = behind >= most - 1e-12
    winner = np.where(leads, right, -1.0).argmax(axis=1)  # of equal answers that of the heaviest voter
    rows = np.arange(len(right))
    others = np.where(same[rows, winner], -1.0, behind).max(axis=1)
    left = votes & ~asked
    is_certain = ~left.any(axis=1) | (most[:, 0] - np.maximum(others, 0.0) > np.where(left, right, 0.0).sum(axis=1))
    accepted = np.where(speaks.any(axis=1), winner, np.where(asked, right, -1.0).argmax(axis=1))
    following = np.where(left, right, -1.0).argmax(axis=1)
    return np.where(is_certain, -1, following), accepted


def subset_vote(answers: IntArray, right: FloatArray, votes: BoolArray) -> tuple[BoolArray, IntArray]:
    """Return who is asked, shape (rows, LLMs), and whose answer is accepted, shape (rows,), once all has been asked."""
    asked, rows = np.zeros(answers.shape, dtype=bool), np.arange(len(answers))
    while True:
        following, accepted = next_step(np.where(asked, answers, -1), right, votes, asked)
        if (following < 0).all():
            return asked, accepted
        open_rows = rows[following >= 0]
        asked[open_rows, following[open_rows]] = True
