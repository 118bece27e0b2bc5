"""For the paper's learners, to whom each session is a learning problem of its own."""

from __future__ import annotations

from typing import Any

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.session_array import how_many

PRIORS = ("fresh", "kept")


class SessionsApart(Agent):
    """Starts every session anew: with nothing, as in the paper, or from the mean of what earlier sessions came to.

    Attributes:
        earlier: What earlier sessions came to for each arm; only where the hyperparameter `prior` is "kept".
    """

    prior: str
    earlier: ArmValues

    def _keep(self, prior: str, nothing_yet: ArmValues) -> None:
        """Take the hyperparameter, and what `earlier` is before the first session."""
        self._require(prior in PRIORS, "prior", f"one of {', '.join(PRIORS)}", prior)
        self.prior = prior
        if prior == "kept":
            self.earlier = nothing_yet

    def begin_session(self) -> None:
        """Forget the session before, but for what `prior` keeps of it."""
        if not self.n_updates and not how_many(self.n_selected.now):
            return
        keeps = self.prior == "kept"
        if keeps and self.n_updates:
            self._conclude()
        make: Any = type(self)
        fresh = make(self.task, n_sessions=self.n_sessions, **self._stored_hyperparameters())
        kept = {name: array for name, array in self.state().items() if name.startswith("earlier.")}
        self.restore(fresh.state() | kept)
        if keeps:
            self._start_from_earlier()

    def _conclude(self) -> None:
        """Add to `earlier` what the session came to that ends, where that is not done as it goes."""

    def _start_from_earlier(self) -> None:
        """Start a session from `earlier`."""
        raise NotImplementedError
