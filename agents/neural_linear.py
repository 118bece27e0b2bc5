"""NeuralLinear (Riquelme, Tucker and Snoek 2018): linear Thompson sampling on the features of a small network."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.lin_ts import LinTS
from llm_routing_env.agents.parts.feature_network import FeatureNetwork
from llm_routing_env.agents.parts.linear_model import ArmRegressions, with_intercept
from llm_routing_env.agents.parts.memory import Memory
from llm_routing_env.agents.parts.state import FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.whole import is_whole

MOST_UNITS = 1024


class NeuralLinear(LinTS):
    """Learns features of the query, refitted every so often, and a Bayesian linear head per LLM on top of them.

    With ``hidden_units=0`` the features are the query itself and the agent equals `LinTS`.

    Attributes:
        regressions: The heads.
        network: The features, where there are hidden units.
        memory: The queries that they are fitted to.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        scale: float = 0.3,
        ridge: float = 1.0,
        hidden_units: int = 8,
        refit_every: int = 50,
        refit_steps: int = 30,
        refit_rate: float = 0.01,
        capacity: int = 256,
    ) -> None:
        """Start from random features, the same in every session.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            scale: Assumed standard deviation of a reward around its prediction.
            ridge: Weight of the penalty on the coefficients of the heads.
            hidden_units: Number of features, at most 1024; 0: the query itself.
            refit_every: Queries between refits.
            refit_steps: Steps of Adam per refit.
            refit_rate: Size of a step of Adam.
            capacity: How many queries are remembered.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed, scale=scale, ridge=ridge)
        # Each arm keeps a square of them: a checkpoint of a few bytes could ask for more than there is.
        is_size = is_whole(hidden_units, 0) and hidden_units <= MOST_UNITS
        self._require(is_size, "hidden_units", f"a whole number from 0 to {MOST_UNITS}", hidden_units)
        self._require_count("refit_every", refit_every)
        self._require(is_whole(refit_steps, 0), "refit_steps", "a whole number, at least 0", refit_steps)
        self._require(refit_rate > 0, "refit_rate", "positive", refit_rate)
        self._require_count("capacity", capacity)
        self._require(capacity >= refit_every, "capacity", f"at least refit_every, {refit_every}", capacity)
        self.hidden_units = hidden_units
        self.refit_every = refit_every
        self.refit_steps = refit_steps
        self.refit_rate = refit_rate
        self.capacity = capacity
        if hidden_units:
            n_rows, size = len(self._rows), task.observation_size
            weights = self._common_rng.normal(size=(size + 1, hidden_units)) / np.sqrt(size + 1)
            self.network = FeatureNetwork(weights, n_rows, task.n_actions)
            self.memory = Memory(n_rows, capacity, size)
            self.regressions = ArmRegressions(n_rows, task.n_actions, hidden_units + 1, ridge)

    def _features(self, observation: FloatArray) -> FloatArray:
        plain = super()._features(observation)
        return self.network.features(plain[:, None])[:, 0] if self.hidden_units else plain

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        if not self.hidden_units:
            super()._learn(observation, action, reward, outcome)
            return
        self.memory.add(observation, action, reward)
        if self.memory.n_added % self.refit_every:
            super()._learn(observation, action, reward, outcome)
        else:
            self._refit()

    def _refit(self) -> None:
        """Train the features on the memory, and the heads on the features that come of it."""
        observations, actions, rewards = self.memory.recall()
        inputs = with_intercept(observations)
        self.network.train(inputs, actions, rewards, self.refit_steps, self.refit_rate)
        self.regressions.refit(self.network.features(inputs), actions, rewards)
