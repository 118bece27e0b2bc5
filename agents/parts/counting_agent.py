"""What the agents on outcomes share that count answers context by context."""

from __future__ import annotations

from typing import Self

from llm_routing_env.agents.parts.outcome_agent import OutcomeAgent
from llm_routing_env.agents.parts.outcome_means import Believed, OutcomeMeans
from llm_routing_env.agents.parts.state import FloatArray, IntArray, Outcomes


class CountingAgent(OutcomeAgent):
    """Knows of each LLM the mean outcome in each context. A subclass calls `_believe`, then `_count`.

    Attributes:
        outcomes: What was learned of each LLM in each context.
    """

    observation = "context"
    outcomes: OutcomeMeans

    def _count(self, prior_pulls: float, pseudo_pulls: float) -> None:
        """Start from the prior; see `OutcomeMeans` for the arguments, which are hyperparameters."""
        self._require(prior_pulls > 0, "prior_pulls", "positive", prior_pulls)
        self._require(pseudo_pulls >= 0, "pseudo_pulls", "at least 0", pseudo_pulls)
        self.prior_pulls = prior_pulls
        self.pseudo_pulls = pseudo_pulls
        self.outcomes = OutcomeMeans(
            len(self._rows),
            self.task.observation_size,
            self._prior,
            prior_pulls=prior_pulls,
            pseudo_pulls=pseudo_pulls,
            discount=self.discount,
        )

    def _believed(self, observation: FloatArray) -> Believed:
        """Return what is believed in each session's context; base and gain are those of a call, which may fail."""
        believed = self.outcomes.believed(observation.argmax(axis=1))
        base, gain = self._expected(believed.base, believed.gain)
        return believed._replace(base=base, gain=gain)

    def _keep(self, known: Self, arms: IntArray) -> None:
        self.outcomes.keep(known.outcomes, arms)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        measured, is_answered = self._measured(action, reward, outcome), self._is_answered(action, reward)
        self.outcomes.update(observation.argmax(axis=1), action, measured, is_answered)
        self.failed_calls.update(action, is_answered)
