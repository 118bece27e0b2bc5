"""EXP3 (Auer, Cesa-Bianchi, Freund and Schapire 2002): exponential weights for rewards that an adversary may choose.

p = (1 - g) w / sum(w) + g / M;  w_m <- w_m exp(g (r / p_m) / M) for the arm m that was asked.
"""

from __future__ import annotations

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_array import by_session, per_arm
from llm_routing_env.agents.parts.distributions import restrict, softmax
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.session_array import plain
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class EXP3(Agent):
    """Weighs arms by the exponential of their importance-weighted rewards; assumes nothing about how rewards arise.

    Attributes:
        log_weights: Logarithms of the weights, the highest being 0, one per session and arm.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        exploration: float = 0.3,
        normaliser: str = "running_minmax",
    ) -> None:
        """Start with equal weights.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            exploration: g in (0, 1]; for total reward G of the best arm, best at sqrt(M ln M / ((e - 1) G)).
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require(0 < exploration <= 1, "exploration", "above 0 and at most 1", exploration)
        self.exploration = exploration
        self.log_weights = per_arm(len(self._rows), task.n_actions, 0.0)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        share = self.exploration / self.task.n_actions
        return restrict((1 - self.exploration) * softmax(self.log_weights.array) + share, allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        probability = plain(self._probability)
        if probability is None:
            # A mask makes the arm that was asked likelier than its weight says.
            probability = by_session(self._probabilities(observation, self._allowed))[action]
        self.log_weights[action] += self.exploration * self.reward_range(reward) / (probability * self.task.n_actions)
        self.log_weights -= self.log_weights.max()
