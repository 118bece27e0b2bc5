"""The additive reward: R = w_a a - w_c c - w_l log10(l) / t_scaling, without the oddities of the paper's ratio."""

from collections.abc import Mapping
from typing import Any

from llm_routing_env.rewards.base import Reward


class Additive(Reward):
    """The gain less the latency."""

    def combine(self, terms: Mapping[str, Any]) -> Any:
        """Return the gain less the latency's term."""
        return self.gain(terms) - terms["latency"]

    @property
    def bounds(self) -> tuple[float, float]:
        """The slowest outcome is the worst."""
        return self.extremes(self.max_latency_s)

    @property
    def formula(self) -> str:
        """How people write it, with the weights filled in."""
        *gain, latency = self.term_formulas.values()
        return " − ".join([*gain, latency] if self.weights[2] else gain)
