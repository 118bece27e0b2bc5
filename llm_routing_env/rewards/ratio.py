"""The paper's reward (PickLLM, arXiv 2412.12170): R = (w_a a - w_c c) / (w_l log10(l) / t_scaling).

The paper's full text was not at hand; this is what two secondary sources agree on. It has two oddities: w_l and
t_scaling only rescale, and where w_a a < w_c c a slower LLM scores better.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.rewards.base import LATENCY_FLOOR_MS, Reward


class Ratio(Reward):
    """The gain per latency; without a weight on the latency, the gain."""

    def combine(self, terms: Mapping[str, Any]) -> Any:
        """Return the gain divided by the latency's term."""
        return self.gain(terms) / terms["latency"] if self.weights[2] else self.gain(terms)

    @property
    def bounds(self) -> tuple[float, float]:
        """A negative gain is worst over the smallest denominator."""
        return self.extremes(LATENCY_FLOOR_MS / 1000)

    @property
    def formula(self) -> str:
        """How people write it, with the weights filled in."""
        *gain, latency = self.term_formulas.values()
        return f"({' − '.join(gain)}) / ({latency})" if self.weights[2] else " − ".join(gain)

    @property
    def is_constant(self) -> bool:
        """With a weight on the latency alone it is 0, whatever the latency."""
        return not any((*self.weights[:2], *self.extra_terms.values()))

    def remarks(self, rewards: NDArray[np.float64]) -> list[str]:
        """Return the form's oddities, as far as these rewards show them."""
        if not self.weights[2]:
            return []
        said = [
            "In the ratio form the weight on latency only scales the reward and never changes which LLM is best; "
            "the additive form weighs it."
        ]
        negative = float((rewards < 0).mean())
        if negative > 0:
            said.append(f"{negative:.0%} of the rewards are negative: there the ratio prefers the slower LLM.")
        return said
