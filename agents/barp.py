"""BaRP: one policy for every preference between quality and cost, trained by policy gradients on bandit feedback.

"Learning to Route LLMs from Bandit Feedback: One Policy, Many Trade-offs" (2025), arXiv 2510.07429. The symbols are the
paper's.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.adam import adam
from llm_routing_env.agents.parts.distributions import softmax
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.row_blocks import product, product_over_rows
from llm_routing_env.agents.parts.state import FloatArray, IntArray
from llm_routing_env.agents.parts.task import N_OBJECTIVES, RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

_BATCH, _LEARNING_RATE, _DECAY = 128, 0.003, 1e-4
_ENTROPY, _BASELINE_STEP = 0.02, 0.1
_HIGH_COST = 0.95  # quantile of the costs that counts as 1
_GRID = np.linspace(0, 1, 21)  # of preferences, for who has none


class BaRP(PretrainedAgent):
    """Asks the most probable LLM of a policy that sees the query and what quality is worth: w of 1, the rest is cost.

    It is trained by REINFORCE: at every step queries and preferences are drawn, the policy asks one LLM each, and is
    told w q - (1 - w) min(c / tau, 1) of that one alone, tau being a high cost. So it is fitted on the train split as
    if it routed it many times, but on nothing that routing would not tell. Where observations end with a
    preference, as in `PickLLM-MO-v0`, that is w and the objectives are the environment's three.

    Kept: the reward, the preference as an input, policy gradients with a baseline and an entropy bonus, a small network
    on frozen embeddings. Ours: standardised embeddings (without, it asks one LLM of all), squares and roots of the
    preference as inputs of the logits too, a baseline linear in these, tau, and larger steps.

    Attributes:
        centre: Mean of each number of an observation, shape (observation size,).
        spread: Standard deviation of each, shape (observation size,).
        hidden_weights: Of query and preference, the intercepts as first row, shape (1 + inputs, hidden units).
        output_weights: Of hidden units and preference, the intercepts as first row, shape (1 + those, arms).
        chosen: The preference of a router that is given none: what earned most in training, shape ().
    """

    observation = "embedding"
    sees_preferences = True

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        preference: float | None = None,
        hidden_units: int = 64,
        n_steps: int = 4_000,
    ) -> None:
        """Start without weights.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`; also of the weights it starts from, and of what is drawn in training.
            preference: w, from 0, cost alone, to 1, quality alone. None: the observation's, or else the one whose
                choices earn most on the training queries.
            hidden_units: Width of the hidden layer.
            n_steps: Steps of training, each of 128 draws.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        is_share = preference is None or 0 <= preference <= 1
        self._require(is_share, "preference", "None, or from 0 to 1", preference)
        self._require_one_preference(preference)
        self._require_count("hidden_units", hidden_units)
        self._require_count("n_steps", n_steps)
        self.preference = preference
        self.hidden_units = hidden_units
        self.n_steps = n_steps
        self._n_objectives = N_OBJECTIVES if task.shows_preference else 2
        n_features = 3 * self._n_objectives
        self.centre, self.spread = np.zeros(self._query_size), np.ones(self._query_size)
        self.hidden_weights = np.zeros((1 + self._query_size + n_features, hidden_units))
        self.output_weights = np.zeros((1 + hidden_units + n_features, task.n_actions))
        self.chosen = np.ones(())

    def _fit(self, training_table: TrainingTable) -> None:
        table, rng = training_table, self._common_rng
        self.centre, spread = table.observations.mean(axis=0), table.observations.std(axis=0)
        self.spread = np.where(spread > 0, spread, 1.0)
        objectives, can_be_asked = self._objectives(table), table.has_cell
        n_inputs = len(self.hidden_weights)
        scale = np.ones((n_inputs, 1))
        scale[0], scale[1 : 1 + self._query_size] = 0.0, 1 / np.sqrt(self._query_size)
        self.hidden_weights = rng.normal(size=(n_inputs, self.hidden_units)) * scale
        self.output_weights = np.zeros_like(self.output_weights)
        queries = self._standardised(table.observations)
        baseline = np.zeros(1 + 3 * self._n_objectives)

        def gradient(hidden_weights: FloatArray, output_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
            drawn = rng.integers(len(queries), size=_BATCH)
            worth = rng.dirichlet(np.ones(self._n_objectives), size=_BATCH)
            inputs, hidden, chances = self._forward(queries[drawn], worth, hidden_weights, output_weights)
            chances = chances * can_be_asked[drawn]
            chances /= chances.sum(axis=1, keepdims=True)
            asked = _sampled(chances, rng)
            rewards = (worth * objectives[drawn, asked]).sum(axis=1)
            told = np.concatenate([np.ones((_BATCH, 1)), preference_features(worth)], axis=1)
            ahead = rewards - told @ baseline
            baseline[:] += _BASELINE_STEP * told.T @ ahead / _BATCH
            error = policy_gradient(chances, asked, ahead) / _BATCH
            seen = np.concatenate([np.ones((_BATCH, 1)), hidden, told[:, 1:]], axis=1)
            units = output_weights[1 : 1 + self.hidden_units]
            by_hidden = (error @ units.T) * (1 - np.square(hidden))
            pull = _DECAY * hidden_weights
            pull[[0, *range(1 + self._query_size, n_inputs)]] = 0.0
            return product_over_rows(inputs, by_hidden) + pull, seen.T @ error

        arrays = [self.hidden_weights, self.output_weights]
        adam(arrays, gradient, n_steps=self.n_steps, learning_rate=_LEARNING_RATE)
        if self.preference is None and not self.task.shows_preference:
            self.chosen = np.array(self._best_preference(table))

    def _objectives(self, table: TrainingTable) -> FloatArray:
        """Return what a preference weighs, shape (queries, LLMs, objectives); 0 where unknown."""
        asked = table.has_cell
        is_known = bool(np.isfinite(table.cost_usd[asked]).all())
        self._require(is_known, "training_table.cost_usd", "recorded: the preference is about it", np.nan)
        if self.task.shows_preference:
            known = "known: they are what is weighed"
            self._require(table.objectives is not None, "training_table.objectives", known, None)
            found = np.asarray(table.objectives)
        else:
            high = np.quantile(table.cost_usd[asked], _HIGH_COST) or np.inf  # where all are free cost drops out
            found = np.stack([table.accuracy, -np.minimum(table.cost_usd / high, 1.0)], axis=2)
        return np.where(asked[:, :, None], found, 0.0)

    def _best_preference(self, table: TrainingTable) -> float:
        rewards, rows = np.where(table.has_cell, table.rewards, -np.inf), np.arange(len(table.rewards))
        earned = []
        for preference in _GRID:
            logits = self._logits(table.observations, self._worth(float(preference), len(rows)))
            choices = np.where(table.has_cell, logits, -np.inf).argmax(axis=1)
            earned.append(table.weights @ rewards[rows, choices])
        return float(_GRID[int(np.argmax(earned))])

    def _scores(self, observation: FloatArray) -> FloatArray:
        query, shown = observation[:, : self._query_size], observation[:, self._query_size :]
        given = float(self.chosen) if self.preference is None else self.preference
        worth = shown if self.task.shows_preference else self._worth(given, len(query))
        return self._logits(query, worth)

    def _logits(self, query: FloatArray, worth: FloatArray) -> FloatArray:
        weights = self.hidden_weights, self.output_weights
        return np.log(self._forward(self._standardised(query), worth, *weights)[2] + 1e-300)

    def _worth(self, preference: float, n_queries: int) -> FloatArray:
        return np.tile([preference, 1 - preference], (n_queries, 1))

    def _standardised(self, query: FloatArray) -> FloatArray:
        standardised: FloatArray = (query - self.centre) / self.spread
        return standardised

    def _forward(
        self, queries: FloatArray, worth: FloatArray, hidden_weights: FloatArray, output_weights: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return inputs, hidden units and each LLM's probability, for standardised queries and what they weigh."""
        one, features = np.ones((len(queries), 1)), preference_features(worth)
        inputs = np.concatenate([one, queries, features], axis=1)
        hidden = np.tanh(product(inputs, hidden_weights))
        logits = np.concatenate([one, hidden, features], axis=1) @ output_weights
        return inputs, hidden, softmax(logits)


def preference_features(worth: FloatArray) -> FloatArray:
    """Return what each objective is worth, its square and its root, shape (queries, 3 x objectives)."""
    return np.concatenate([worth, np.square(worth), np.sqrt(np.maximum(worth, 0.0))], axis=1)


def policy_gradient(chances: FloatArray, asked: IntArray, ahead: FloatArray) -> FloatArray:
    """Return the gradient by the logits of -ahead x log pi(asked), less the entropy; shape (queries, arms).

    Args:
        chances: pi, shape (queries, arms).
        asked: The LLM of each query, shape (queries,).
        ahead: Its reward less the baseline, shape (queries,).
    """
    taken = np.eye(chances.shape[1])[asked]
    logs = np.log(chances + 1e-9)
    of_entropy = chances * (logs - (chances * logs).sum(axis=1, keepdims=True))
    gradient: FloatArray = (chances - taken) * ahead[:, None] + _ENTROPY * of_entropy
    return gradient


def _sampled(chances: FloatArray, rng: np.random.Generator) -> IntArray:
    drawn: IntArray = (chances.cumsum(axis=1)[:, :-1] <= rng.random((len(chances), 1))).sum(axis=1)
    return drawn
