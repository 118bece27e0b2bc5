"""What an agent knows before it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from llm_routing_env.agents.parts.session_array import FloatArray

PROMPT = "prompt"  # the query's text
NO_VECTORS = ("none", "context", PROMPT)  # observations that no vector of numbers could replace
WITH_PREFERENCE = "+preference"  # ends the kind of observations that end with the importance of each objective
N_OBJECTIVES = 3  # accuracy, cost, latency


@dataclass(frozen=True)
class LLMInfo:
    """What is known of an LLM before it is asked; None: not known.

    Attributes:
        name: Its name.
        input_price_usd_per_mtok: US dollars per million prompt tokens.
        output_price_usd_per_mtok: US dollars per million completion tokens.
        max_tokens: Longest completion that is asked for.
        expected_cost_usd: Mean cost of a query of the train split, in US dollars.
        expected_latency_s: Mean latency of a query of the train split, in seconds.
        features: Whatever else the pool's file says in numbers, in ``[llm.features]``.
    """

    name: str
    input_price_usd_per_mtok: float | None = None
    output_price_usd_per_mtok: float | None = None
    max_tokens: int | None = None
    expected_cost_usd: float | None = None
    expected_latency_s: float | None = None
    features: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class RoutingTask:
    """What an agent may know before it routes its first query.

    Attributes:
        n_actions: Number of arms: the LLMs, unless an environment has actions of another kind, such as to accept.
        observation_size: Length of one observation vector; 0 for texts.
        llm_names: Names of the LLMs, in the order of the actions where each LLM is one.
        expected_cost_usd: Expected cost of one query for each LLM, in US dollars.
        reward_bounds: Lowest and highest reward that can occur.
        reward_quantiles: 5 % and 95 % quantile of the training split's rewards; None: the bounds.
        llms: More about each LLM; where left out, names and expected costs.
        observation: Kind of the observations: "embedding", "context+features", "array", ...; None: not said, and any
            agent takes them.
        reward: The reward of answers, from accuracy in [0, 1], cost in US dollars and latency in seconds, arrays of one
            shape: who routes knows what for. None: not said. Tasks are equal whatever theirs is.
        max_usd_per_query: Mean cost of a query, in US dollars, that routing is to keep to; None: whatever it costs.
    """

    n_actions: int
    observation_size: int
    llm_names: tuple[str, ...]
    expected_cost_usd: tuple[float, ...]
    reward_bounds: tuple[float, float]
    reward_quantiles: tuple[float, float] | None = None
    llms: tuple[LLMInfo, ...] = ()
    observation: str | None = None
    reward: Callable[[FloatArray, FloatArray, FloatArray], FloatArray] | None = field(default=None, compare=False)
    max_usd_per_query: float | None = None

    @property
    def shows_preference(self) -> bool:
        """Whether an observation ends with what each objective is worth: three numbers with the sum 1."""
        return self.observation is not None and self.observation.endswith(WITH_PREFERENCE)

    @property
    def actions_are_llms(self) -> bool:
        """Whether there is an action for each LLM, and no other."""
        return self.n_actions == len(self.llm_names)

    def __post_init__(self) -> None:
        """Refuse lengths that disagree and empty reward ranges; fill in what was left out."""
        if self.n_actions < 1:
            raise ValueError(f"RoutingTask: n_actions must be at least 1, got {self.n_actions}.")
        if not self.llm_names or len(self.llm_names) != len(self.expected_cost_usd):
            raise ValueError(
                f"RoutingTask: llm_names and expected_cost_usd must have an entry for each LLM, got {self.llm_names} "
                f"and {self.expected_cost_usd}."
            )
        if not self.llms:
            costs = zip(self.llm_names, self.expected_cost_usd, strict=True)
            known = tuple(LLMInfo(name, expected_cost_usd=cost) for name, cost in costs)
            object.__setattr__(self, "llms", known)
        if tuple(llm.name for llm in self.llms) != tuple(self.llm_names):
            raise ValueError(f"RoutingTask: llms must be those of llm_names, {self.llm_names}, got {self.llms}.")
        budget = self.max_usd_per_query
        if budget is not None and not 0 < budget < np.inf:
            raise ValueError(f"RoutingTask: max_usd_per_query must be None, or finite and above 0, got {budget!r}.")
        for name in ("reward_bounds", "reward_quantiles"):
            low, high = getattr(self, name) or (0.0, 1.0)
            if not -np.inf < low < high < np.inf:
                raise ValueError(f"RoutingTask: {name} must be finite and increasing, got ({low}, {high}).")
