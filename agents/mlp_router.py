"""MLP router: a neural network with one hidden layer predicts each LLM's reward.

After RouterBench (Hu et al. 2024, arXiv 2403.12031), which has 100 hidden units and trains by Adam; there every LLM has
a network of its own and the units are rectified, here they share the hidden layer and the units are tanh.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.feature_network import FeatureNetwork
from llm_routing_env.agents.parts.linear_model import with_intercept
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable


class MLPRouter(PretrainedAgent):
    """Predicts each LLM's reward by a small neural network and asks the best.

    Attributes:
        network: The network, with one row that all sessions share.
    """

    observation = "embedding"
    fits_logs = True

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        hidden_units: int = 50,
        n_epochs: int = 30,
        batch_size: int = 200,
        learning_rate: float = 0.003,
        weight_decay: float = 1.0,
    ) -> None:
        """Start without a model.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`; also of the initial weights and the order of the training queries.
            hidden_units: Width of the hidden layer; 100 in RouterBench.
            n_epochs: Passes over the training queries; passes, step and decay were chosen by cross-validation on the
                train split of nano, where none of them matters much.
            batch_size: Queries per step of Adam; 200 in RouterBench.
            learning_rate: Size of a step; 0.001 in RouterBench, with up to 200 epochs.
            weight_decay: Each step shrinks the weights, but not the intercepts, by this times its size.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require_count("hidden_units", hidden_units)
        self._require_count("n_epochs", n_epochs)
        self._require_count("batch_size", batch_size)
        self._require(0 < learning_rate < np.inf, "learning_rate", "positive and finite", learning_rate)
        self._require(0 <= weight_decay < np.inf, "weight_decay", "finite and at least 0", weight_decay)
        self.hidden_units = hidden_units
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.network = FeatureNetwork(np.zeros((1 + task.observation_size, hidden_units)), 1, task.n_actions)

    def _fit(self, training_table: TrainingTable) -> None:
        inputs, rewards = with_intercept(training_table.observations), training_table.rewards
        # Observations have length 1: with weights of size 1 a unit's input varies by about 1, where tanh bends.
        weights = self._common_rng.normal(size=(inputs.shape[1], self.hidden_units))
        self.network = FeatureNetwork(weights, 1, self.task.n_actions)
        # One scale for all LLMs: they are compared with each other.
        means, scale = training_table.means("rewards"), float(rewards[training_table.has_cell].std()) or 1.0
        self.network.train_on_all(
            inputs,
            (rewards - means) / scale,
            self._common_rng,
            n_epochs=self.n_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            weights=training_table.weights,
        )
        self.network.rescale(means, scale)

    def _scores(self, observation: FloatArray) -> FloatArray:
        scores: FloatArray = self.network.predict(with_intercept(observation)[None])[0]
        return scores
