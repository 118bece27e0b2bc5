"""Prices on spending that rise while it is above a budget and fall while it is below: one number per session."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.state import BoolArray, FloatArray, Stateful
from llm_routing_env.agents.parts.task import LLMInfo

DUAL_STEP = 0.0005
SMOOTHED_STEP, SMOOTHING, HIGHEST = 0.05, 0.05, 5.0  # the repository's
_LOWEST_USD, _HIGHEST_USD = 1e-4, 0.1  # per 1,000 tokens: between these ParetoBandit normalises prices


class DualPrice(Stateful):
    """Plain dual ascent in dollars: lambda grows by step x (cost / budget - 1), and is never below 0.

    As long as it is not held at 0, spending over T queries is 1 + (lambda_T - lambda_0) / (step T) budgets, exactly.

    Attributes:
        prices: Lambda, shape (sessions,).
    """

    def __init__(self, n_sessions: int, budget_usd: float) -> None:
        """Start with lambda 0.

        Args:
            n_sessions: Number of sessions.
            budget_usd: Mean cost of a query that is aimed at.
        """
        self.prices = np.zeros(n_sessions)
        self._budget_usd = budget_usd

    def penalties(self, cost_usd: FloatArray) -> FloatArray:
        """Return what each LLM's score loses by its price, shape (sessions, arms), given the mean costs so far."""
        penalties: FloatArray = self.prices[:, None] * cost_usd / self._budget_usd
        return penalties

    def charge(self, cost_usd: FloatArray, counts: BoolArray) -> None:
        """Take note of what a query cost in the sessions where that counts; both of shape (sessions,)."""
        steps = DUAL_STEP * (cost_usd / self._budget_usd - 1)
        self.prices = np.where(counts, np.maximum(self.prices + steps, 0.0), self.prices)


class SmoothedPrice(DualPrice):
    """ParetoBandit's: lambda follows the smoothed cost, up to 5, and weighs the logarithm of an LLM's list price.

    While it is above 0, LLMs whose list price is above the highest / (1 + lambda) are not asked.

    Attributes:
        smoothed_usd: The smoothed cost of a query, shape (sessions,).
    """

    def __init__(self, n_sessions: int, budget_usd: float, llms: tuple[LLMInfo, ...]) -> None:
        """Start with lambda 0 and spending as budgeted.

        Args:
            n_sessions: Number of sessions.
            budget_usd: Mean cost of a query that is aimed at.
            llms: The LLMs, with their list prices.
        """
        super().__init__(n_sessions, budget_usd)
        self.smoothed_usd = np.full(n_sessions, budget_usd, dtype=np.float64)
        self._list_usd = list_prices(llms)

    def penalties(self, cost_usd: FloatArray) -> FloatArray:
        """See `DualPrice.penalties`."""
        penalties: FloatArray = self.prices[:, None] * normalised(self._list_usd)
        ceiling = self._list_usd.max() / (1 + self.prices[:, None])
        is_barred = (self._list_usd > ceiling) & (self._list_usd > self._list_usd.min())
        return np.where(is_barred, np.inf, penalties)

    def charge(self, cost_usd: FloatArray, counts: BoolArray) -> None:
        """See `DualPrice.charge`."""
        smoothed = self.smoothed_usd + SMOOTHING * (cost_usd - self.smoothed_usd)
        prices = np.clip(self.prices + SMOOTHED_STEP * (smoothed / self._budget_usd - 1), 0.0, HIGHEST)
        self.smoothed_usd = np.where(counts, smoothed, self.smoothed_usd)
        self.prices = np.where(counts, prices, self.prices)


def list_prices(llms: tuple[LLMInfo, ...]) -> FloatArray:
    """Return each LLM's list price of 1,000 tokens in US dollars, half of them read and half written, shape (arms,)."""
    prices = [(llm.input_price_usd_per_mtok, llm.output_price_usd_per_mtok) for llm in llms]
    if any(price is None for pair in prices for price in pair):
        missing = next(llm.name for llm, pair in zip(llms, prices, strict=True) if None in pair)
        raise ValueError(f'style "paretobandit" goes by list prices, and that of {missing} is not known: style "dual".')
    per_thousand: FloatArray = np.array(prices, dtype=np.float64).mean(axis=1) / 1000
    return per_thousand


def normalised(list_usd: FloatArray) -> FloatArray:
    """Return list prices per 1,000 tokens as logarithms, 0 for 0.0001 and 1 for 0.1 US dollars, cut off there."""
    logs = np.log(np.clip(list_usd, _LOWEST_USD, _HIGHEST_USD) / _LOWEST_USD)
    scaled: FloatArray = logs / np.log(_HIGHEST_USD / _LOWEST_USD)
    return scaled
