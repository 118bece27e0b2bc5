"""The paper's reward and an additive alternative (PickLLM, arXiv 2412.12170).

The paper's full text was not at hand; the ratio form is what two secondary sources agree on:
R = (w_a a - w_c c) / (w_l log10(l) / t_scaling). The additive form has neither of the ratio's oddities:
in the ratio w_l and t_scaling only rescale, and where w_a a < w_c c a slower LLM scores better.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.text import unknown_name

FORMS = ("pickllm", "additive")
TERMS = ("accuracy", "cost", "latency")
LATENCY_FLOOR_MS = 10.0  # log10 of fewer milliseconds would approach 0 and change sign below 1


@dataclass(frozen=True)
class Reward:
    """Scalar reward of an outcome, and its bounds.

    Attributes:
        form: "pickllm" (the ratio) or "additive".
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

    def combine(self, terms: Mapping[str, Any]) -> Any:
        """Return the reward from `terms`."""
        gain = terms["accuracy"] - terms["cost"]
        for name in self.extra_terms:
            gain = gain - terms[name]
        if self.form == "additive":
            return gain - terms["latency"]
        return gain / terms["latency"] if self.weights[2] else gain

    def __call__(self, accuracy: Any, cost_usd: Any, latency_s: Any, measures: Mapping[str, Any] | None = None) -> Any:
        """Return the reward of outcomes: accuracy in [0, 1], cost in US dollars, latency in seconds."""
        return self.combine(self.terms(accuracy, cost_usd, latency_s, measures))

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest reward; a failed call gets the lowest."""
        worst = {name: self.max_measures[name] * (weight > 0) for name, weight in self.extra_terms.items()}
        best = {name: self.max_measures[name] * (weight < 0) for name, weight in self.extra_terms.items()}
        # In the ratio a negative numerator is worst over the smallest denominator.
        slow_s = self.max_latency_s if self.form == "additive" else LATENCY_FLOOR_MS / 1000
        low = self(0.0, self.max_cost_usd, slow_s, worst)
        high = self(1.0, 0.0, LATENCY_FLOOR_MS / 1000, best)
        return float(low), float(high)


def make_reward(
    table: OutcomeTable,
    form: str = "pickllm",
    weights: Sequence[float] = (1.0, 0.5, 0.5),
    *,
    t_scaling: float = 1.0,
    cost_scale_usd: float | None = None,
    extra_terms: Mapping[str, float] | None = None,
    deadline_s: float = 0.0,
) -> Reward:
    """Return the reward for a table, with bounds from its highest cost and latency.

    Args:
        table: Gives cost scale, bounds, and says which measures exist.
        form: One of `FORMS`.
        weights: Accuracy, cost, latency.
        t_scaling: Divides log10(latency in ms).
        cost_scale_usd: The cost that counts as 1; by default the table's (mean cost of its dearest LLM).
        extra_terms: Weight by name of a `measure_<name>` column.
        deadline_s: Live calls may take this long: widens the bounds.

    Raises:
        ValueError: For an unknown form or measure, a weight that cannot be one, or one on a measure the table lacks.
    """
    if form not in FORMS:
        raise unknown_name("reward", form, FORMS)
    checked = _check_weights(weights)
    if form == "pickllm" and not any(checked[:2]) and not extra_terms:
        raise ValueError("With a weight on latency alone the ratio is always 0: use reward='additive'.")
    _check_recorded(table, checked)
    for name, weight in (extra_terms or {}).items():
        if name not in table.measures:
            raise unknown_name("measure", name, table.measures)
        if name in TERMS:
            raise ValueError(f"extra_terms names {name!r}, which the reward has already: rename the measure's column.")
        if not math.isfinite(weight):
            raise ValueError(f"extra_terms[{name!r}] must be a finite number, got {weight}.")
    # Where every LLM is free no unit makes a difference.
    usual = table.cost_scale_usd if table.cost_usd.any() else 1.0
    scale = usual if cost_scale_usd is None else cost_scale_usd
    if checked[1] and not 0 < scale < math.inf:
        raise ValueError(f"cost_scale_usd must be a finite number above 0, got {scale}.")
    if not 0 < t_scaling < math.inf:
        raise ValueError(f"t_scaling must be a finite number above 0, got {t_scaling}.")
    return Reward(
        form=form,
        weights=checked,
        t_scaling=t_scaling,
        cost_scale_usd=scale,
        max_cost_usd=float(table.cost_usd.max()),
        max_latency_s=max(float(table.latency_s.max()), deadline_s),
        extra_terms=dict(extra_terms or {}),
        max_measures={name: float(values.max()) for name, values in table.measures.items()},
    )


def _check_recorded(table: OutcomeTable, weights: tuple[float, float, float]) -> None:
    """Check that the table records what is weighed, and say how to go on where it does not."""
    ways = (
        ("cost", table.cost_usd, "--cost-column"),
        ("latency", table.latency_s, "--latency-column or --latency-from"),
    )
    for number, (name, values, flags) in enumerate(ways, start=1):
        if weights[number] and np.isnan(values).any():
            without = ",".join(f"{0 if place == number else weight:g}" for place, weight in enumerate(weights))
            raise ValueError(
                f"The reward weighs {name} ({weights[number]:g}), but the table {table.name} records none: leave it "
                f"out with --weights {without}, or give it to `pickllm import` with {flags}."
            )


def _check_weights(weights: Sequence[float]) -> tuple[float, float, float]:
    values: NDArray[np.float64] = np.asarray(weights, dtype=np.float64)
    if values.shape != (3,) or not np.isfinite(values).all() or (values < 0).any() or not values.any():
        raise ValueError(
            f"weights must be three finite numbers, 0 or more and not all 0 (accuracy, cost, latency), got {weights}."
        )
    return float(values[0]), float(values[1]), float(values[2])
