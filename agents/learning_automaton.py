"""Linear reward-inaction automaton, the gradient-ascent learner of PickLLM (arXiv 2412.12170).

P_m <- P_m + b r (1 - P_m) for the arm m that was asked, P_j <- P_j - b r P_j for the others; r is in [0, 1].
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.arm_array import per_arm
from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.distributions import Weights, restrict
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.recommitting import Recommitting
from llm_routing_env.agents.parts.sessions_apart import SessionsApart
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class LearningAutomaton(Recommitting, SessionsApart):
    """Stochastic learning automaton with the S-model linear reward-inaction scheme.

    It moves probability to the arm that was asked in proportion to its reward, and does nothing on reward 0.
    One probability tends to 1; the automaton commits to that arm and stops learning once it reaches
    ``1 - threshold``. A larger learning rate commits sooner and to the wrong arm more often.

    Attributes:
        probabilities: Probability of each arm, one per session and arm.
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
        recommit: str | None = None,
        recommit_delta: float = 0.05,
        recommit_threshold: float = 10.0,
        prior: str = "fresh",
    ) -> None:
        """Start with equal probabilities.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            learning_rate: Step b, between 0 and 1. The paper's values are not known; 0.2 is ours.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
            threshold: Commit when a probability reaches 1 - threshold.
            recommit: "page_hinkley": a committed session starts anew when that test finds that its arm's rewards have
                fallen; None: it never does, as in the paper.
            recommit_delta: What a reward may lie below the mean for nothing, as a share of the train split's range.
            recommit_threshold: How far the sum of such shares may fall, see `PageHinkley`.
            prior: What a session starts from where the agent lives through several: "fresh", equal probabilities as in
                the paper, or "kept", the mean of what earlier sessions ended with, equal ones among them as if of one.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require(0 < learning_rate < 1, "learning_rate", "between 0 and 1", learning_rate)
        self._require(0 <= threshold < 1, "threshold", "at least 0 and below 1", threshold)
        self.learning_rate = learning_rate
        self.threshold = threshold
        self.probabilities = per_arm(len(self._rows), task.n_actions, 1 / task.n_actions)
        equal = ArmValues(len(self._rows), task.n_actions, initial_value=1 / task.n_actions)
        equal.counts += 1.0
        self._keep(prior, equal)
        self._watch(recommit, recommit_delta, recommit_threshold)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> Weights:
        return restrict(self.probabilities, allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self._reconsider(action, reward)
        step = self.learning_rate * self.reward_range(reward) * self._is_open
        self.probabilities *= 1 - step
        self.probabilities[action] += step
        self._commit(self.probabilities[action] >= 1 - self.threshold, action)

    def _conclude(self) -> None:
        for arm in range(self.task.n_actions):
            action = np.full(len(self._rows), arm)
            self.earlier.update(action, self.probabilities[action])

    def _start_from_earlier(self) -> None:
        self.probabilities.array = self.earlier.values.array.copy()
