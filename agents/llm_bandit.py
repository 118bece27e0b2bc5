"""LLM Bandit: an identity vector per LLM, and a preference that slides along the front of cost and accuracy.

Li 2025, "LLM Bandit: Cost-Efficient LLM Generation via Preference-Conditioned Dynamic Routing", arXiv 2502.02743. Its
code is not public; equations and settings here follow descriptions by others. The symbols are the paper's.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.adam import adam
from llm_routing_env.agents.parts.onboarding import task_with
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.reward_lines import reward_lines
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.agents.parts.task import N_OBJECTIVES, LLMInfo, RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

_STEPS, _LEARNING_RATE, _DECAY = 400, 0.05, 1e-4
_LEAST_VARIANCE = 0.01  # of what a new LLM's numbers may differ from the others' by


class LLMBandit(PretrainedAgent):
    """Asks the LLM that is worth most by its predicted accuracy p = sigma(x U . I + a), for its identity I.

    With a preference w it asks the one with the highest p / max p - w c / max c, where c is the LLM's mean cost: 0 is
    accuracy whatever it costs, and the higher w, the cheaper. Without one, what right and wrong answers of each LLM
    earn turns p into a reward. Where observations end with a preference, as in `PickLLM-MO-v0`, it asks the one whose
    predicted accuracy, mean cost and mean latency are worth most by that.

    This is the paper's first stage, the identities, in its smallest form: linear, where it has a network with 128
    hidden units and a second head for pairs, and fitted to graded scores as they are, where it cuts them in two. Its
    second and third stage train a policy that sees the preference; where every LLM's outcome is known and there is one
    decision per query, the best such policy is the rule above, so there is nothing to train. Its policy-gradient form,
    which needs no more than the outcomes of what it chose, is any such learner on `PickLLM-MO-v0` with
    `preference="dirichlet"`: `barp`, or Stable-Baselines3's PPO on the reward weighed by the preference. A few numbers
    per LLM cannot hold which LLM is good at what where LLMs are alike: on public tables this router is no better than
    the best single LLM.

    Attributes:
        projection: U, shape (observation size, rank).
        identities: I, shape (arms, rank).
        intercepts: a, shape (arms,).
        cost_usd: c, shape (arms,).
        lines: What no accuracy earns and what it adds, see `reward_lines`, shape (2, arms).
        prices: The mean of each objective without any accuracy, where there is a preference in sight; shape (3, arms).
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
        rank: int = 4,
    ) -> None:
        """Start without identities.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`; also of where U starts.
            preference: w: how much the dearest LLM's cost counts, against the accuracy of the best; 0 to 2 in the
                paper. None: the reward decides.
            rank: Length of an identity; 128 in the paper.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        is_weight = preference is None or 0 <= preference < np.inf
        self._require(is_weight, "preference", "None, or finite and at least 0", preference)
        self._require_count("rank", rank)
        self.preference = preference
        self.rank = rank
        self._require_one_preference(preference)
        self.projection = np.zeros((self._query_size, rank))
        self.identities = np.zeros((task.n_actions, rank))
        self.intercepts = np.zeros(task.n_actions)
        self.cost_usd = np.zeros(task.n_actions)
        self.lines = np.zeros((2, task.n_actions))
        self.prices = np.zeros((N_OBJECTIVES, task.n_actions))

    def _fit(self, training_table: TrainingTable) -> None:
        self.cost_usd, self.lines = training_table.means("cost_usd"), reward_lines(training_table)
        self.prices = self._prices(training_table)
        self._require_costs(self.cost_usd)
        queries, accuracy = training_table.observations, training_table.accuracy
        was_asked = training_table.has_cell
        self.projection = self._common_rng.normal(scale=0.3, size=(queries.shape[1], self.rank))
        self.identities, self.intercepts = np.zeros((accuracy.shape[1], self.rank)), np.zeros(accuracy.shape[1])
        pull = 1 / len(queries) / accuracy.shape[1]  # of the prior I ~ N(0, 1), beside the mean loss

        def gradient(projection: FloatArray, identities: FloatArray, intercepts: FloatArray) -> tuple[FloatArray, ...]:
            seen = queries @ projection
            error = np.where(was_asked, _sigma(seen @ identities.T + intercepts) - accuracy, 0.0) / was_asked.sum()
            by_projection = queries.T @ (error @ identities) + _DECAY * projection
            return by_projection, error.T @ seen + pull * identities, error.sum(axis=0)

        arrays = [self.projection, self.identities, self.intercepts]
        adam(arrays, gradient, n_steps=_STEPS, learning_rate=_LEARNING_RATE)

    def _prices(self, table: TrainingTable) -> FloatArray:
        """Return the mean objectives of LLMs that are never right, shape (3, LLMs); 0 where no preference is shown."""
        if not self.task.shows_preference:
            return np.zeros((N_OBJECTIVES, table.rewards.shape[1]))
        known = "known: the preference is about them"
        self._require(table.objectives is not None, "training_table.objectives", known, None)
        costs = np.asarray(table.objectives) * [0.0, 1.0, 1.0]
        counts = table.weights[:, None] * table.has_cell
        sums = np.einsum("qmo,qm->om", np.where(table.has_cell[..., None], costs, 0.0), counts)
        return np.asarray(sums / counts.sum(axis=0))

    def _require_costs(self, cost_usd: FloatArray) -> None:
        is_known = self.preference is None or bool(np.isfinite(cost_usd).all())
        self._require(is_known, "training_table.cost_usd", "recorded: the preference is about it", np.nan)

    def predicted_accuracy(self, observation: FloatArray) -> FloatArray:
        """Return how probably each LLM is right, shape (observations, arms)."""
        return _sigma(observation @ self.projection @ self.identities.T + self.intercepts)

    def _scores(self, observation: FloatArray) -> FloatArray:
        preference = observation[:, self._query_size :]
        right = self.predicted_accuracy(observation[:, : self._query_size])
        if self.task.shows_preference:
            utility: FloatArray = preference[:, :1] * right + preference @ self.prices
            return utility
        if self.preference is None:
            at_zero, slopes = self.lines
            worth: FloatArray = at_zero + slopes * right
            return worth
        dearest = self.cost_usd.max() or 1.0  # where all are free there is nothing to prefer
        scores: FloatArray = right / right.max(axis=1, keepdims=True) - self.preference * self.cost_usd / dearest
        return scores

    def add_llm(self, llm: LLMInfo, probes: TrainingTable) -> None:
        """Take in a new LLM as the last action, U and the other LLMs as they are.

        Its identity is the most probable one given the probes, if LLMs' numbers vary as those of the others do.

        Args:
            llm: Who it is.
            probes: Its outcomes on a few queries, a table of this one LLM; 20 to 50 in the paper.

        Raises:
            ValueError: If the probes do not fit, or the pool has an LLM of that name.
            RuntimeError: If the router is not fitted.
        """
        self._require_llms()
        if not self.is_fitted:
            raise RuntimeError("LLMBandit is not fitted: call fit(training_table) before add_llm.")
        task = task_with(self.task, llm, probes, self._query_size)
        cost_usd, lines, prices = probes.means("cost_usd"), reward_lines(probes), self._prices(probes)
        self._require_costs(cost_usd)
        seen = np.concatenate([probes.observations @ self.projection, np.ones((len(probes.rewards), 1))], axis=1)
        known = np.concatenate([self.identities, self.intercepts[:, None]], axis=1)
        centre, precision = known.mean(axis=0), 1 / (known.var(axis=0) + _LEAST_VARIANCE)
        new, right, was_asked = centre.copy(), probes.accuracy[:, 0], probes.has_cell[:, 0]

        def gradient(theta: FloatArray) -> tuple[FloatArray]:
            return (seen.T @ np.where(was_asked, _sigma(seen @ theta) - right, 0.0) + precision * (theta - centre),)

        adam([new], gradient, n_steps=_STEPS, learning_rate=_LEARNING_RATE)
        self.identities = np.concatenate([self.identities, new[None, :-1]])
        self.intercepts = np.append(self.intercepts, new[-1])
        self.cost_usd = np.append(self.cost_usd, cost_usd)
        self.lines = np.concatenate([self.lines, lines], axis=1)
        self.prices = np.concatenate([self.prices, prices], axis=1)
        self.task = task


def _sigma(logits: FloatArray) -> FloatArray:
    chance: FloatArray = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
    return chance
