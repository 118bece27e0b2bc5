"""Linear reward-inaction automaton, the gradient-ascent learner of PickLLM (arXiv 2412.12170).

P_m <- P_m + b r (1 - P_m) for the arm m that was asked, P_j <- P_j - b r P_j for the others; r is in [0, 1].
"""

from __future__ import annotations

from llm_routing_env.agents.parts.agent import RoutingTask
from llm_routing_env.agents.parts.distributions import restrict, uniform
from llm_routing_env.agents.parts.normalisers import UnitRewardAgent
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes, by_cell, cells, plain


class LearningAutomaton(UnitRewardAgent):
    """Stochastic learning automaton with the S-model linear reward-inaction scheme.

    It moves probability to the arm that was asked in proportion to its reward, and does nothing on reward 0.
    One probability tends to 1; the automaton commits to that arm and stops learning once it reaches
    ``1 - threshold``. A larger learning rate commits sooner and to the wrong arm more often.

    Attributes:
        probabilities: Probability of each arm, shape (sessions, arms).
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        learning_rate: float = 0.2,
        normaliser: str = "running_minmax",
        threshold: float = 0.01,
    ) -> None:
        """Start with equal probabilities.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            learning_rate: Step b, between 0 and 1. The paper's values are not known; 0.2 is ours.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
            threshold: Commit when a probability reaches 1 - threshold.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed, normaliser=normaliser)
        self._require(0 < learning_rate < 1, "learning_rate", "between 0 and 1", learning_rate)
        self._require(0 <= threshold < 1, "threshold", "at least 0 and below 1", threshold)
        self.learning_rate = learning_rate
        self.threshold = threshold
        self.probabilities = uniform(len(self._rows), task.n_actions)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return restrict(self.probabilities, allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        cell, unit_reward, commitment = plain(cells(self._rows, action), self.reward_range(reward), self.commitments)
        step = self.learning_rate * unit_reward * (commitment < 0)
        by_arm = self.probabilities.T
        by_arm *= 1 - step
        probabilities = by_cell(self.probabilities)
        raised = probabilities[cell] + step
        probabilities[cell] = raised
        self._commit(raised >= 1 - self.threshold, action)
