"""Linear reward-penalty automaton (Narendra and Thathachar), S-model: it moves away from an arm that disappoints.

With gain g = a r and loss l = b (1 - r), for the arm m that was asked and every other arm j:
P_m <- P_m + g (1 - P_m) - l P_m,  P_j <- P_j - g P_j + l (1 / (M - 1) - P_j).
"""

from __future__ import annotations

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_array import per_arm
from llm_routing_env.agents.parts.distributions import Weights, restrict
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class LinearRewardPenalty(Agent):
    """Stochastic learning automaton that also learns from low rewards, so it is never absorbed and follows drift.

    With equal steps the expected probabilities tend to be proportional to 1 / (expected 1 - reward). A penalty that is
    a small fraction of the reward's step (L_R-epsilon-P) comes closer to the best arm and still never stops moving.

    Attributes:
        probabilities: Probability of each arm, one per session and arm.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        learning_rate: float = 0.3,
        penalty_ratio: float = 0.05,
        normaliser: str = "running_minmax",
    ) -> None:
        """Start with equal probabilities.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            learning_rate: Step a on reward, between 0 and 1.
            penalty_ratio: b / a, from 0 (reward-inaction) to 1 (L_R-P); small values are L_R-epsilon-P.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require(0 < learning_rate < 1, "learning_rate", "between 0 and 1", learning_rate)
        self._require(0 <= penalty_ratio <= 1, "penalty_ratio", "from 0 to 1", penalty_ratio)
        self.learning_rate = learning_rate
        self.penalty_ratio = penalty_ratio
        self.probabilities = per_arm(len(self._rows), task.n_actions, 1 / task.n_actions)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> Weights:
        return restrict(self.probabilities, allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        if self.task.n_actions == 1:
            return
        unit_reward = self.reward_range(reward)
        gain = self.learning_rate * unit_reward
        # Without a range a reward of 0 is no disappointment, and teaches nothing.
        loss = self.learning_rate * self.penalty_ratio * (1 - unit_reward) * self.reward_range.is_known
        share = loss / (self.task.n_actions - 1)
        self.probabilities *= 1 - gain - loss
        self.probabilities += share
        self.probabilities[action] += gain - share
