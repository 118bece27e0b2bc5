"""Budget pacer: as much reward as a mean cost per query allows, learned while routing.

ParetoBandit (2026, arXiv 2604.00136) puts a price on cost that rises while spending is above
the budget: bandits with knapsacks (Badanidiyuru et al. 2013, arXiv 1305.2545) by their Lagrangian.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.distributions import uniform_over_best
from llm_routing_env.agents.parts.linear_model import ArmRegressions, with_intercept
from llm_routing_env.agents.parts.logged import LoggedData
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.pacing import DualPrice, SmoothedPrice
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask

STYLES = ("dual", "paretobandit")
_HALVINGS, _HIGHEST_PRICE = 60, 1024.0


class BudgetPacer(Agent):
    """LinUCB less a price on cost: theta^T x + alpha sqrt(x^T A^-1 x) - lambda c / budget, for the mean cost c so far.

    Lambda is learned from what is spent: `DualPrice`. Before, every LLM is asked ``burn_in`` times, whatever it costs:
    without, the first one that seems good enough is asked for ever. These queries are spending that no price makes up
    for. A log that the agent learned from first (`fit_log`) stands for them, and lambda starts where it would have met
    the budget on the log's queries.

    Ours: the dual in dollars. ``style="paretobandit"`` has its smoothed cost, logarithms of list prices, cap and
    ceiling; its forgetting, its prior worth 1,164 queries and its burn-in of LLMs that come later are left out.

    Attributes:
        regressions: The models, with an intercept.
        pulls: How often each LLM was asked, shape (sessions, arms).
        spent_usd: What it cost, shape (sessions, arms).
        has_past: Whether a log stands for the burn-in, shape ().
        pace: Lambda.
    """

    observation = "embedding32"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        max_usd_per_query: float | None = None,
        style: str = "dual",
        alpha: float = 0.01,
        burn_in: int | Mapping[str, int] = 20,
    ) -> None:
        """Start without data.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            max_usd_per_query: The budget: mean cost of a query in US dollars. None: the task's, or if that has none no
                budget.
            style: "dual", or "paretobandit".
            alpha: Width of the confidence bounds, in units of the reward; wider ones cost up to 0.02 of reward.
            burn_in: How often each LLM is asked first; or how often each of some, by name: the others never.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require_llms()
        if style not in STYLES:
            raise unknown_name("style of budget_pacer", style, STYLES)
        self._require(0 <= alpha < np.inf, "alpha", "finite and at least 0", alpha)
        given = task.max_usd_per_query if max_usd_per_query is None else max_usd_per_query
        self._require(given is None or 0 < given < np.inf, "max_usd_per_query", "None, or finite and above 0", given)
        self._costs = np.array(task.expected_cost_usd)
        cheapest = f"at least {self._costs.min():.4g}, the mean cost of the cheapest LLM"
        self._require(given is None or given >= self._costs.min(), "max_usd_per_query", cheapest, given)
        self.max_usd_per_query = max_usd_per_query
        self.style = style
        self.alpha = alpha
        self.burn_in = burn_in
        self._budget_usd, self._burn_in = np.inf if given is None else float(given), self._counts(burn_in)
        n_rows = len(self._rows)
        self.regressions = ArmRegressions(n_rows, task.n_actions, task.observation_size + 1, 1.0)
        self.pulls, self.spent_usd = np.zeros((2, n_rows, task.n_actions))
        self.has_past = np.zeros((), dtype=np.bool_)
        is_dual = style == "dual" or given is None
        budget = self._budget_usd
        self.pace = DualPrice(n_rows, budget) if is_dual else SmoothedPrice(n_rows, budget, task.llms)

    def _counts(self, burn_in: int | Mapping[str, int]) -> IntArray:
        names = self.task.llm_names
        by_name = burn_in if isinstance(burn_in, Mapping) else dict.fromkeys(names, burn_in)
        for name, count in by_name.items():
            if name not in names:
                raise unknown_name("LLM of burn_in", name, names)
            is_count = isinstance(count, int) and not isinstance(count, bool) and count >= 0
            self._require(is_count, "burn_in", "whole numbers, 0 or more", burn_in)
        return np.array([by_name.get(name, 0) for name in names])

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        mean, uncertainty = self.regressions.predict(with_intercept(observation))
        scores = mean + self.alpha * uncertainty - self.pace.penalties(self._mean_costs())
        is_due = self._is_due() if allowed is None else self._is_due() & allowed
        burns = is_due.any(axis=1, keepdims=True)
        in_turn = np.where(is_due, -self.pulls, -np.inf)
        return uniform_over_best(np.where(burns, in_turn, scores), allowed)

    def _is_due(self) -> BoolArray:
        """Return which LLMs have to be asked still, whatever they cost, shape (sessions, arms)."""
        is_due: BoolArray = (self.pulls < self._burn_in) & ~self.has_past
        return is_due

    def _mean_costs(self) -> FloatArray:
        """Return each LLM's mean cost so far, what is expected of it before it was asked; shape (sessions, arms)."""
        return np.where(self.pulls > 0, self.spent_usd / np.maximum(self.pulls, 1), self._costs)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        counts = ~self._is_due()[self._rows, action]
        self.regressions.update(with_intercept(observation), action, reward)
        told = np.asarray(outcome.get("cost_usd", np.nan), dtype=np.float64)
        if np.isfinite(self._budget_usd):
            self._require(bool(np.isfinite(told).all()), "outcome['cost_usd']", "known: it keeps to a budget", told)
            self.pace.charge(told, counts)
        # Without a budget too: who goes on from here may have one.
        self.spent_usd[self._rows, action] += np.where(np.isfinite(told), told, self._costs[action])
        self.pulls[self._rows, action] += 1

    def fit_log(self, logged: LoggedData | Sequence[LoggedData]) -> None:
        """Learn from what others chose; lambda is then what meets the budget on these queries, best asked.

        Raises:
            ValueError: If costs are not known.
        """
        logs = [logged] if isinstance(logged, LoggedData) else logged
        super().fit_log(logs)
        self.has_past = np.ones((), dtype=np.bool_)
        if np.isinf(self._budget_usd):
            return
        seen = np.stack([with_intercept(np.asarray(log.observations, dtype=np.float64)) for log in logs])
        slopes = (self.regressions.inverses @ self.regressions.responses[..., None])[..., 0]
        earned = seen @ slopes.swapaxes(1, 2)  # shape (sessions, rows, arms)
        low, high = np.zeros(len(self._rows)), np.full(len(self._rows), _HIGHEST_PRICE)
        costs, every = self._mean_costs(), np.arange(len(self._rows))[:, None]
        for _ in range(_HALVINGS):
            self.pace.prices = (low + high) / 2
            chosen = (earned - self.pace.penalties(costs)[:, None]).argmax(axis=2)
            is_over = costs[every, chosen].mean(axis=1) > self._budget_usd
            low, high = np.where(is_over, self.pace.prices, low), np.where(is_over, high, self.pace.prices)
        self.pace.prices = high
