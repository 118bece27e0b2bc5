"""What forms of the reward share: weights, units, the weighted terms, and what a form is asked for."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

TERMS = ("accuracy", "cost", "latency")
LATENCY_FLOOR_MS = 10.0  # log10 of fewer milliseconds would approach 0 and change sign below 1


@dataclass(frozen=True, kw_only=True)
class Reward(ABC):
    """Scalar reward of an outcome. A form is a subclass with `combine`, `bounds` and `formula`.

    It may also have terms of its own, by the same names, and say more of itself: `is_constant`, `remarks`. Outcomes
    that a table lacks are NaN, and are given no reward whatever a form makes of them.

    Attributes:
        form: The name it was asked for by.
        weights: Importance of accuracy, cost and latency; 0 or more, not all 0.
        t_scaling: Divides log10(latency in ms).
        cost_scale_usd: The cost that counts as 1.
        max_cost_usd: Highest cost the bounds allow for.
        max_latency_s: Highest latency the bounds allow for.
        extra_terms: Weight of each further measure, subtracted like the cost (bias, toxicity, energy).
        max_measures: Highest value of each further measure the bounds allow for.
    """

    form: str
    weights: tuple[float, float, float]
    cost_scale_usd: float
    max_cost_usd: float
    max_latency_s: float
    t_scaling: float = 1.0
    extra_terms: Mapping[str, float] = field(default_factory=dict)
    max_measures: Mapping[str, float] = field(default_factory=dict)

    @abstractmethod
    def combine(self, terms: Mapping[str, Any]) -> Any:
        """Return the reward from what `terms` returns; arrays in, an array out."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest reward; a failed call gets the lowest."""

    @property
    @abstractmethod
    def formula(self) -> str:
        """How people write it, with the weights filled in."""

    @property
    def is_constant(self) -> bool:
        """Whether every outcome has the same reward, because nothing is weighed."""
        return not any(self.weight_by_term.values())

    def facts(self) -> dict[str, Any]:
        """Return what makes it another reward of the same outcomes, JSON-plain."""
        return {
            "form": self.form,
            "weights": list(self.weights),
            "t_scaling": self.t_scaling,
            "cost_scale_usd": self.cost_scale_usd,
            "extra_terms": dict(self.extra_terms),
        }

    def remarks(self, rewards: NDArray[np.float64]) -> list[str]:
        """Return what a reader of these rewards should know of the form, as sentences."""
        return []

    def terms(
        self, accuracy: Any, cost_usd: Any, latency_s: Any, measures: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the weighted terms "accuracy", "cost", "latency" and the further ones; arrays in, arrays out."""
        w_a, w_c, w_l = self.weights
        latency_ms = np.maximum(np.multiply(latency_s, 1000.0), LATENCY_FLOOR_MS)
        return {  # A zero weight drops its term: the measure may then be missing (NaN)
            "accuracy": w_a * accuracy,
            "cost": w_c * cost_usd / self.cost_scale_usd if w_c else np.zeros_like(accuracy),
            "latency": w_l * np.log10(latency_ms) / self.t_scaling if w_l else np.zeros_like(accuracy),
            **{name: weight * (measures or {})[name] for name, weight in self.extra_terms.items()},
        }

    def gain(self, terms: Mapping[str, Any]) -> Any:
        """Return the accuracy less the cost and the further terms: all but the latency."""
        gain = terms["accuracy"] - terms["cost"]
        for name in self.extra_terms:
            gain = gain - terms[name]
        return gain

    def __call__(self, accuracy: Any, cost_usd: Any, latency_s: Any, measures: Mapping[str, Any] | None = None) -> Any:
        """Return the reward of outcomes: accuracy in [0, 1], cost in US dollars, latency in seconds."""
        return self.combine(self.terms(accuracy, cost_usd, latency_s, measures))

    def extremes(self, worst_latency_s: float) -> tuple[float, float]:
        """Return the reward of the worst outcome, given which latency is worst, and of the best one."""
        worst = {name: self.max_measures[name] * (weight > 0) for name, weight in self.extra_terms.items()}
        best = {name: self.max_measures[name] * (weight < 0) for name, weight in self.extra_terms.items()}
        low = self(0.0, self.max_cost_usd, worst_latency_s, worst)
        return float(low), float(self(1.0, 0.0, LATENCY_FLOOR_MS / 1000, best))

    def slopes(self, terms: Mapping[str, Any]) -> dict[str, Any]:
        """Return by how much the reward grows with each term, at these terms: central differences of fourth order."""

        def moved(name: str, distance: Any) -> Any:
            return self.combine({**terms, name: terms[name] + distance})

        slopes = {}
        for name, value in terms.items():
            step = 1e-3 * np.maximum(np.abs(value), 1e-3)  # a smaller one drowns in rounding
            near, far = (moved(name, k * step) - moved(name, -k * step) for k in (1, 2))
            slopes[name] = (8 * near - far) / (12 * step)
        return slopes

    @property
    def weight_by_term(self) -> dict[str, float]:
        """The weight of each term, the further ones too."""
        return dict(zip(TERMS, self.weights, strict=True)) | dict(self.extra_terms)

    def with_weight(self, term: str, weight: float) -> Self:
        """Return the same reward with another weight on one term."""
        if term in self.extra_terms:
            return replace(self, extra_terms={**self.extra_terms, term: weight})
        accuracy, cost, latency = (
            weight if name == term else present for name, present in zip(TERMS, self.weights, strict=True)
        )
        return replace(self, weights=(accuracy, cost, latency))

    @property
    def term_formulas(self) -> dict[str, str]:
        """How people write each weighted term."""
        accuracy, cost, latency = self.weights
        scaling = f" / {self.t_scaling:g}" if self.t_scaling != 1 else ""
        return {
            "accuracy": f"{accuracy:g} × accuracy",
            "cost": f"{cost:g} × cost / {self.cost_scale_usd:.3g} $",
            **{name: f"{weight:g} × {name}" for name, weight in self.extra_terms.items()},
            "latency": f"{latency:g} × log10(latency in ms){scaling}",
        }
