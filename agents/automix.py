"""AutoMix: a small LLM answers and is checked; a large one is asked where the check says that it would gain.

AutoMix (Aggarwal, Madaan and others 2023, arXiv 2310.12963, https://github.com/automix-llm/automix).
"""

from __future__ import annotations

from itertools import product

import numpy as np

from llm_routing_env.agents.parts.ask_view import AskView, lowest_if_unknown
from llm_routing_env.agents.parts.asking_agent import AskingAgent, llm_number, measures_of_one, worth_of_asks
from llm_routing_env.agents.parts.asking_table import AskingTable
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray
from llm_routing_env.agents.parts.task import RoutingTask

REWARD, LIFT = "reward", "lift"
_SIGMA = 2.0  # bins over which gains are smoothed


class AutoMix(AskingAgent):
    """Asks the small LLM; asks the large one too, and takes its answer, where the check falls into a bin that gains.

    The check is a number that says how probably the small LLM's answer is right. Its values on the training queries
    are cut into bins of equal size; a bin gains what the large LLM is right more often there, smoothed over its
    neighbours. The bins that gain most are escalated, as many as earn most.

    Kept of AutoMix: two LLMs, the bins, the smoothed gains, escalation bin by bin (what its "POMDP" comes to), and
    `choose_by="lift"`, the gain per dollar over that of always asking the large LLM. Ours: the check, which the paper
    gets by asking the small LLM about its own answer, is the first measure of answers that is seen, such as a recorded
    confidence (`observation="embedding+asks+confidence"`), whose price is in the recorded cost; where none is, what a
    linear model says of the query. By default the bins are as many as earn most reward,
    and the two LLMs those that do.

    Attributes:
        pair: The small and the large LLM, shape (2,).
        edges: Where the bins meet, shape (bins - 1,).
        escalates: In which of them the large LLM is asked, shape (bins,).
    """

    takes_measures = True

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        small: str | None = None,
        large: str | None = None,
        n_bins: int = 8,
        choose_by: str = REWARD,
    ) -> None:
        """Start without a model.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            small: The LLM that is asked first; None: with which most is earned on the training queries.
            large: The one that may be asked then; None: as well.
            n_bins: How many bins; 8 in the paper.
            choose_by: "reward", or "lift": what the escalated bins are to make most of.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        is_count = isinstance(n_bins, int) and not isinstance(n_bins, bool) and n_bins >= 2
        self._require(is_count, "n_bins", "2 or more", n_bins)
        if choose_by not in (REWARD, LIFT):
            raise unknown_name("choose_by", choose_by, (REWARD, LIFT))
        measures_of_one(self)
        self._require(self._n_llms > 1, "task", "of two LLMs or more", self._n_llms)
        self._given = [None if name is None else llm_number(task, name) for name in (small, large)]
        self._require(None in self._given or small != large, "large", f"another LLM than small, {small!r}", large)
        self.small, self.large, self.n_bins, self.choose_by = small, large, n_bins, choose_by
        self.pair = np.array([0, 1])
        self.edges: FloatArray = np.zeros(n_bins - 1)
        self.escalates = np.zeros(n_bins, dtype=bool)

    def _fit(self, training_table: AskingTable) -> None:  # type: ignore[override]  # see AskingAgent.fit
        table, rows = training_table, len(training_table.weights)
        self._require(
            rows >= self.n_bins, "training_table", f"of {self.n_bins} queries or more, one for each bin", rows
        )
        checks = lowest_if_unknown(table.measures[self._measures[0]]) if self._measures else self._fit_accuracies(table)
        best = -np.inf
        for small, large in product(*(range(self._n_llms) if llm is None else [llm] for llm in self._given)):
            if small != large:
                edges = np.asarray(
                    np.quantile(checks[:, small], np.linspace(0, 1, self.n_bins + 1)[1:-1]), dtype=np.float64
                )
                bins = np.searchsorted(edges, checks[:, small], "right")
                escalates, earned = self._escalated(table, (small, large), bins)
                if earned > best + 1e-12:
                    best, self.pair, self.edges, self.escalates = earned, np.array([small, large]), edges, escalates
        self._require(best > -np.inf, "choose_by", '"reward" where no large LLM costs more than a small one', LIFT)

    def _escalated(self, table: AskingTable, pair: tuple[int, int], bins: IntArray) -> tuple[BoolArray, float]:
        """Return which bins of a pair are escalated, and what that earns; minus infinity where there is no lift."""
        every = np.eye(self._n_llms, dtype=bool)
        asked = [np.tile(who, (len(bins), 1)) for who in (every[pair[0]], every[pair[0]] | every[pair[1]])]
        worth = [worth_of_asks(self.task, table, *each) for each in zip(asked, pair, strict=True)]
        accuracy = np.where(table.failed, 0.0, table.accuracy)[:, pair]

        def sums(values: FloatArray) -> FloatArray:
            return np.asarray(np.bincount(bins, table.weights * values, self.n_bins), dtype=np.float64)

        shares = sums(np.ones(len(bins)))
        gained = sums(accuracy[:, 1] - accuracy[:, 0])
        means = np.divide(gained, shares, out=np.zeros(self.n_bins), where=shares > 0)
        order = np.argsort(-smoothed(means), kind="stable")
        earned = table.weights @ worth[0] + _cumulated(sums(worth[1] - worth[0])[order])
        made_most = earned
        if self.choose_by == LIFT:
            cost = table.weights @ table.cost_usd[:, pair]
            if not cost[1] > cost[0]:
                return self.escalates, -np.inf
            right = table.weights @ accuracy
            small, large = ((right[place], cost[place]) for place in (0, 1))
            mixes = right[0] + _cumulated(gained[order]), cost[0] + _cumulated(sums(table.cost_usd[:, pair[1]])[order])
            made_most = np.array([lift(*mix, small, large) for mix in zip(*mixes, strict=True)])
        n_escalated = int(np.argmax(made_most))
        return np.isin(np.arange(self.n_bins), order[:n_escalated]), float(earned[n_escalated])

    def _ask(self, view: AskView) -> IntArray:
        small, large = self.pair.tolist()
        checks = lowest_if_unknown(view.measures[self._measures[0]]) if self._measures else self._accuracies(view.query)
        escalates = self.escalates[np.searchsorted(self.edges, checks[:, small], "right")]
        goes_on = (view.order[:, small] > 0) & (escalates | (view.order[:, large] > 0))
        return np.where(goes_on, large, small)  # to name an LLM again accepts its answer


def smoothed(gains: FloatArray) -> FloatArray:
    """Return gains of bins, each the mean of all, weighed by a Gaussian of their distance; shape (bins,)."""
    places = np.arange(len(gains))
    weights = np.exp(-0.5 * np.square((places[:, None] - places) / _SIGMA))
    means: FloatArray = weights @ gains / weights.sum(axis=1)
    return means


def lift(accuracy: float, cost: float, small: tuple[float, float], large: tuple[float, float]) -> float:
    """Return by which share more accuracy is had per dollar beyond the small LLM than by always asking the large one.

    Args:
        accuracy: Of a mix.
        cost: Of it; any unit, the same for all three.
        small: Accuracy and cost of the small LLM.
        large: Of the large one.

    Raises:
        ValueError: If the large LLM costs no more.
    """
    if large[1] <= small[1]:
        raise ValueError(f"lift needs a large LLM that costs more than the small one, got {large[1]} and {small[1]}.")
    always = (large[0] - small[0]) / (large[1] - small[1])
    gained = accuracy - small[0]
    of_mix = gained / (cost - small[1]) if cost > small[1] else 0.0
    return float((of_mix - always) / always) if always > 0 else -np.inf


def _cumulated(values: FloatArray) -> FloatArray:
    return np.append(0.0, np.cumsum(values))
