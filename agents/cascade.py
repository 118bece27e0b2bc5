"""Cascade: asks LLMs in a fixed order until an answer is probably good enough.

FrugalGPT (Chen, Zaharia, Zou 2023, arXiv 2305.05176, https://github.com/stanford-futuredata/FrugalGPT).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product

import numpy as np

from llm_routing_env.agents.parts.ask_view import AskView, lowest_if_unknown
from llm_routing_env.agents.parts.asking_agent import AskingAgent
from llm_routing_env.agents.parts.asking_table import AskingTable
from llm_routing_env.agents.parts.linear_model import ridge_regression, with_intercept
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray
from llm_routing_env.agents.parts.task import RoutingTask

MAX_LLMS = 6  # of larger pools, those that lists are made of
_N_THRESHOLDS = 20
_RIDGE = 1.0  # of six coefficients per pair


class Cascade(AskingAgent):
    """Asks a list of at most three LLMs in order; accepts an answer whose score reaches the threshold of its place.

    The score of an answer is the probability that it is right: of the first by the query alone, of a later one also by
    whether it is the answer of the LLM before. Measures that the observation names (`observation=
    "embedding+asks+confidence"`) count for both. The last LLM's answer is accepted whatever its score. List and
    thresholds are those that earn most on the training queries, where what the scores take from the query comes of
    models that have not seen it.

    Kept of FrugalGPT: the order, the score of query and answer, a threshold for each place, lists of up to three, and
    the search through all of them. Ours: the score is linear in agreement and in what a linear model says of the query,
    where the paper fine-tunes DistilBERT on query and answer; the reward is maximised, where the paper maximises
    accuracy within a budget; thresholds are quantiles of the scores, and not refined further.

    Attributes:
        order: The LLMs that are asked, in order, -1 behind the last; shape (depth,).
        thresholds: Least score to accept the answer at each place but the last, shape (depth - 1,).
        scores: Of each pair, an LLM and the one asked next: what their accuracies and agreement say of the second's
            answer, see `pair_features`, and what its measures do; on the diagonal, if there are measures, of the first
            LLM's answer; shape (LLMs, LLMs, 6 + measures).
    """

    takes_measures = True

    def __init__(
        self, task: RoutingTask, *, n_sessions: int | None = None, seed: int | None = None, depth: int = 3
    ) -> None:
        """Start without a list.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            depth: Most LLMs of a list, 1 to 3.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(depth in (1, 2, 3) and not isinstance(depth, bool), "depth", "1, 2 or 3", depth)
        self.depth = depth
        self.order = np.full(depth, -1)
        self.thresholds = np.full(depth - 1, np.inf)
        self.scores = np.zeros((self._n_llms, self._n_llms, 6 + len(self._measures)))

    def _fit(self, training_table: AskingTable) -> None:  # type: ignore[override]  # see AskingAgent.fit
        table, right = training_table, self._fit_accuracies(training_table)
        agree, llms, checks = agreement(table.answers), self._candidates(table), self._checks(table.measures)
        for pair in product(llms, llms):
            if pair[0] != pair[1] or self._measures:
                seen, weights = _pair_seen(right, agree, checks, pair), table.weights * len(right)
                self.scores[pair] = ridge_regression(seen, table.accuracy[:, pair[1], None], _RIDGE, weights)[:, 0]
        best = -np.inf
        for chain in _lists(llms, self.depth):
            asked = np.cumsum(np.eye(self._n_llms, dtype=bool)[list(chain)], axis=0) > 0
            worths = [
                self._worth(table, np.tile(who, (len(right), 1)), np.full(len(right), llm))
                for who, llm in zip(asked, chain, strict=True)
            ]
            gates = [self._score(right, agree, checks, chain[: place + 1]) for place in range(len(chain) - 1)]
            earned, thresholds = best_thresholds(gates, worths, table.weights)
            if earned > best + 1e-12:  # of lists that earn the same the shortest
                best = earned
                self.order = np.resize([*chain, *[-1] * (self.depth - len(chain))], self.depth)
                self.thresholds = np.array([*thresholds, *[np.inf] * self.depth][: self.depth - 1])

    def _checks(self, measures: Mapping[str, FloatArray]) -> FloatArray:
        """Return what is seen of each answer by its measures, -1: not known, shape (rows, LLMs, measures)."""
        if not self._measures:
            return np.zeros((1, self._n_llms, 0))
        return lowest_if_unknown(np.stack([measures[name] for name in self._measures], axis=2))

    def _score(self, right: FloatArray, agree: BoolArray, checks: FloatArray, chain: Sequence[int]) -> FloatArray:
        """Return the score of the last answer of a list, shape (rows,)."""
        if len(chain) == 1 and not self._measures:
            return right[:, chain[0]]
        pair = (chain[-2] if len(chain) > 1 else chain[-1]), chain[-1]
        return np.asarray(with_intercept(_pair_seen(right, agree, checks, pair)) @ self.scores[pair])

    def _candidates(self, table: AskingTable) -> list[int]:
        """Return the LLMs that lists are made of: of large pools the best for their price, then by reward."""
        if self._n_llms <= MAX_LLMS:
            return list(range(self._n_llms))
        accuracy, cost = table.weights @ table.accuracy, table.weights @ np.nan_to_num(table.cost_usd)
        every = np.eye(self._n_llms, dtype=bool)
        reward = [
            table.weights
            @ self._worth(table, np.tile(every[llm], (len(table.weights), 1)), np.full(len(table.weights), llm))
            for llm in range(self._n_llms)
        ]
        is_best = [not np.any((cost <= cost[llm]) & (accuracy > accuracy[llm])) for llm in range(self._n_llms)]
        ranked = np.lexsort((-np.array(reward), ~np.array(is_best)))
        return [int(llm) for llm in ranked[:MAX_LLMS]]

    def _ask(self, view: AskView) -> IntArray:
        right, place, n_sessions = self._accuracies(view.query), (view.order > 0).sum(axis=1), len(view.query)
        agree = (view.group[:, :, None] == view.group[:, None, :]) & (view.group > 0)[:, None, :]
        chain, checks = [int(llm) for llm in self.order if llm >= 0], self._checks(view.measures)
        actions = np.full(n_sessions, chain[0])
        for number in range(1, len(chain) + 1):
            accepts = np.ones(n_sessions, dtype=bool)
            if number < len(chain):
                accepts = self._score(right, agree, checks, chain[:number]) >= self.thresholds[number - 1]
            following = chain[min(number, len(chain) - 1)]
            actions = np.where(place == number, np.where(accepts, chain[number - 1], following), actions)
        return actions


def agreement(answers: IntArray) -> BoolArray:
    """Return which LLMs gave the same answer, shape (rows, LLMs, LLMs); an answer that is none agrees with nobody."""
    same: BoolArray = (answers[:, :, None] == answers[:, None, :]) & (answers >= 0)[:, None, :]
    return same


def pair_features(right: FloatArray, agree: BoolArray) -> FloatArray:
    """Return both accuracies, whether the answers agree, and both where they do, shape (rows, 5)."""
    both = agree[:, None].astype(np.float64)
    return np.concatenate([right, both, right * both], axis=1)


def _pair_seen(right: FloatArray, agree: BoolArray, checks: FloatArray, pair: Sequence[int]) -> FloatArray:
    """Return what tells whether the second LLM's answer is right; it does not agree with itself."""
    first, second = pair
    agrees = agree[:, first, second] & (first != second)
    features = pair_features(right[:, [first, second]], agrees)
    return np.concatenate([features, checks[:, second]], axis=1) if checks.shape[2] else features


def best_thresholds(
    gates: Sequence[FloatArray], worths: Sequence[FloatArray], weights: FloatArray
) -> tuple[float, list[float]]:
    """Return what a list earns with the best thresholds, quantiles of each gate's scores, and these; at most two gates.

    Args:
        gates: The scores at each place but the last, each of shape (rows,).
        worths: What the query is worth if the answer of each place is accepted, each of shape (rows,).
        weights: Of the rows, shape (rows,).
    """
    if not gates:
        return float(weights @ worths[0]), []
    quantiles = np.linspace(0, 1, _N_THRESHOLDS + 1)
    grids = [np.append(np.unique(np.quantile(gate, quantiles)), np.inf) for gate in gates]
    accepts = [(gate >= grid[:, None]).astype(np.float64) for gate, grid in zip(gates, grids, strict=True)]
    later = np.tile(worths[-1], (1, 1))
    if len(gates) == 2:
        later = accepts[1] * worths[1] + (1 - accepts[1]) * worths[2]
    # Rows: the first gate's threshold; columns: the second one's.
    earned = accepts[0] @ (weights * worths[0])[:, None] + (1 - accepts[0]) @ (weights * later).T
    first, second = np.unravel_index(int(np.argmax(earned)), earned.shape)
    return float(earned[first, second]), [
        float(grids[0][first]),
        *([float(grids[1][second])] if len(gates) == 2 else []),
    ]


def _lists(llms: Sequence[int], depth: int) -> Iterator[tuple[int, ...]]:
    for length in range(1, depth + 1):
        yield from permutations(llms, length)
