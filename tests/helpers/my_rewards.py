"""Forms of the reward that a user might write, and some that are none."""

import numpy as np

from llm_routing_env.rewards.base import Reward


class Scaled(Reward):
    """The gain per 1 + latency's term."""

    def combine(self, terms):
        return self.gain(terms) / (1 + terms["latency"])

    @property
    def bounds(self):
        low, high = self.extremes(0.01)
        return low, high

    @property
    def formula(self):
        terms = self.term_formulas
        return f"({terms['accuracy']} − {terms['cost']}) / (1 + {terms['latency']})"


class AlwaysOne(Scaled):
    """Looks at no measure, not even for whether there is one."""

    bounds = (0.0, 1.0)

    def combine(self, terms):
        return np.ones_like(terms["accuracy"])


class Unbounded(Reward):
    """Lacks what a form must say."""

    def combine(self, terms):
        return self.gain(terms)


class OneBound(Scaled):
    """Gives one number."""

    bounds = 1.0


class EndlessBounds(Scaled):
    """Gives no end."""

    bounds = (0.0, float("inf"))


class FallingBounds(Scaled):
    """Gives the highest first."""

    bounds = (1.0, 0.0)


class WordyBounds(Scaled):
    """Gives text."""

    bounds = ("low", "high")


class NoForm:
    """Knows nothing of rewards."""


def function(terms):
    """Return what no form is."""
    return terms


class Undefined(AlwaysOne):
    """Gives no number for a wrong answer."""

    def combine(self, terms):
        return np.where(terms["accuracy"] > 0, 1.0, np.nan)


class Beyond(AlwaysOne):
    """Leaves its own bounds."""

    def combine(self, terms):
        return 50.0 * terms["accuracy"] - 7.0


class OneForAll(AlwaysOne):
    """Gives one number for all outcomes together."""

    def combine(self, terms):
        return 0.5
