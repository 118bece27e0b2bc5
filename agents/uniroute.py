"""UniRoute: an LLM is what it does on each kind of query, so that a new one joins on a few labelled queries.

Jitkrittum et al. 2025, "Universal Model Routing for Efficient LLM Inference", arXiv 2502.08773; no code is published.
The symbols in the comments are the paper's.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.adam import adam
from llm_routing_env.agents.parts.clusters import cluster_counts, cluster_means, k_means, nearest
from llm_routing_env.agents.parts.distributions import level, softmax
from llm_routing_env.agents.parts.folds import folds
from llm_routing_env.agents.parts.leave_one_out import routed_reward
from llm_routing_env.agents.parts.linear_model import with_intercept
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.onboarding import task_with
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.reward_lines import reward_lines
from llm_routing_env.agents.parts.state import FloatArray, IntArray
from llm_routing_env.agents.parts.task import LLMInfo, RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

MAPS, TARGETS = ("kmeans", "learned"), ("reward", "accuracy")
SIZES = (1, 5, 10, 25, 50, 100)
_PRIOR_COUNT = 2.0
_PROBES_PER_GROUP = 5
_STEPS, _LEARNING_RATE, _SHARPNESS, _CLIP = 300, 0.05, 4.0, 1e-4


class UniRoute(PretrainedAgent):
    """Asks the LLM with the highest mean reward in the query's cluster.

    The score of an LLM m for a query x is Phi(x) Psi(m): to which of K clusters the query belongs, times what the LLM
    is worth in each. K-means makes the clusters; with ``map="learned"`` Phi is a softmax that is trained so that Phi
    Psi predicts which LLMs err. Nothing but Psi(m) is of one LLM alone, so `add_llm` takes a new one in on a few probe
    queries and leaves all else as it was.

    All of the paper transfers. Ours: Psi holds mean rewards, where the paper has mean errors, to which it adds lambda
    times the LLM's mean cost (``target="accuracy"`` is that, with what right and wrong answers earn in the place of
    lambda); K is chosen by the reward it earns in cross-validation, where the paper has the area under a deferral
    curve; sparse clusters are drawn to the LLM's mean by two queries. The paper embeds by Gecko, and makes clusters of
    other queries than those it measures LLMs on.

    Attributes:
        centres: Shape (clusters, observation size).
        worth: Psi: mean reward or accuracy of each LLM in each cluster, shape (clusters, arms).
        lines: What no accuracy earns and what it adds, see `reward_lines`; (0, 1) for rewards. Shape (2, arms).
        spread: Mean over the LLMs of the standard deviation that ``worth`` averages over, shape ().
        map_weights: Of the learned softmax, shape (1 + observation size, clusters), intercepts first.
    """

    observation = "embedding"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        map: str = "kmeans",
        n_clusters: int | None = None,
        target: str = "reward",
    ) -> None:
        """Start without clusters.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`; also of where k-means starts.
            map: Phi: "kmeans", or "learned".
            n_clusters: K. None: of `SIZES` up to half of the queries, the number that routes best in 5-fold
                cross-validation on them; the paper tries 5 to 300.
            target: What an LLM is measured by: "reward", or "accuracy" as in the paper.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        if map not in MAPS:
            raise unknown_name("map of uniroute", map, MAPS)
        if target not in TARGETS:
            raise unknown_name("target of uniroute", target, TARGETS)
        self._require_count("n_clusters", n_clusters, is_optional=True)
        self.map = map
        self.n_clusters = n_clusters
        self.target = target
        self.centres = np.zeros((0, task.observation_size))
        self.worth = np.zeros((0, task.n_actions))
        self.lines = np.zeros((2, task.n_actions))
        self.spread = np.zeros(())
        self.map_weights = np.zeros((0, 0))

    def _fit(self, training_table: TrainingTable) -> None:
        queries, values = training_table.observations, self._values(training_table)
        is_number = self.n_clusters is None or self.n_clusters <= len(queries)
        self._require(is_number, "n_clusters", f"at most {len(queries)}, the training queries", self.n_clusters)
        self.lines = self._lines(training_table)
        number = self.n_clusters or self._best_number(training_table)
        self.centres = k_means(queries, number, self._common_rng)
        clusters = nearest(queries, self.centres)
        self.worth = cluster_means(values, clusters, number, _PRIOR_COUNT)
        self.spread = np.array(np.nanstd(values, axis=0).mean())
        if self.map == "learned":
            self.map_weights = _learned_map(queries, 1 - training_table.accuracy, clusters, self.centres)

    def _values(self, table: TrainingTable) -> FloatArray:
        return table.rewards if self.target == "reward" else table.accuracy

    def _lines(self, table: TrainingTable) -> FloatArray:
        n_llms = table.rewards.shape[1]
        return np.repeat([[0.0], [1.0]], n_llms, axis=1) if self.target == "reward" else reward_lines(table)

    def _best_number(self, table: TrainingTable) -> int:
        """Return the number of clusters under which the LLMs that are picked for queries left out earn most."""
        queries, values = table.observations, self._values(table)
        sizes = [size for size in SIZES if 2 * size <= len(queries)] or [1]
        earned = np.zeros(len(sizes))
        for fitted, tried in folds(table.groups, self._common_rng):
            for i, size in enumerate(sizes):
                if size > len(fitted):
                    earned[i] = -np.inf
                    continue
                centres = k_means(queries[fitted], size, self._common_rng, n_starts=1)
                worth = cluster_means(values[fitted], nearest(queries[fitted], centres), size, _PRIOR_COUNT)
                scores = self._worth_to_reward(worth[nearest(queries[tried], centres)])
                earned[i] += routed_reward(level(scores, self.rounding), table.rewards[tried])
        return sizes[int(np.argmax(earned))]  # the fewest of several that earn as much

    def _scores(self, observation: FloatArray) -> FloatArray:
        if self.map == "learned":
            return self._worth_to_reward(_membership(observation, self.map_weights) @ self.worth)  # Phi(x) Psi
        return self._worth_to_reward(self.worth[nearest(observation, self.centres)])

    def _worth_to_reward(self, worth: FloatArray) -> FloatArray:
        at_zero, slopes = self.lines
        scores: FloatArray = at_zero + slopes * worth
        return scores

    def add_llm(self, llm: LLMInfo, probes: TrainingTable, *, caution: float = 1.5, prior_count: float = 5.0) -> None:
        """Take in a new LLM as the last action; what is known of the others stays as it is.

        Args:
            llm: Who it is.
            probes: Its outcomes on a few queries, best on training queries: a table of this one LLM.
            caution: How many standard errors are taken off its mean in each group of clusters. The paper takes none,
                and then a new LLM is asked where its few probes went well by chance, which costs more than it is worth
                on public tables; where the LLMs differ much, 0 is better (`benchmarks/onboarding.py`).
            prior_count: How many probes at its overall mean are added to each group.

        Raises:
            ValueError: If the probes do not fit, or the pool has an LLM of that name.
            RuntimeError: If the router is not fitted.
        """
        self._require_llms()
        self._require(0 <= caution < np.inf, "caution", "finite and at least 0", caution)
        self._require(0 <= prior_count < np.inf, "prior_count", "finite and at least 0", prior_count)
        if not self.is_fitted:
            raise RuntimeError("UniRoute is not fitted: call fit(training_table) before add_llm.")
        task = task_with(self.task, llm, probes)
        groups = self._groups(len(probes.rewards))
        values, clusters = self._values(probes), groups[nearest(probes.observations, self.centres)]
        counts = cluster_counts(values, clusters, len(self.centres)) + prior_count
        worth = cluster_means(values, clusters, len(self.centres), prior_count)
        worth -= caution * self.spread / np.sqrt(np.maximum(counts, 1.0))
        worth = worth[groups]
        self.worth = np.concatenate([self.worth, worth], axis=1)
        self.lines = np.concatenate([self.lines, self._lines(probes)], axis=1)
        self.task = task

    def _groups(self, n_probes: int) -> IntArray:
        """Return which clusters are taken for one, because few probes tell no more apart, shape (clusters,)."""
        number = max(n_probes // _PROBES_PER_GROUP, 1)
        if number >= len(self.centres):
            return np.arange(len(self.centres))
        return nearest(self.centres, k_means(self.centres, number, self._common_rng))


def _learned_map(queries: FloatArray, errors: FloatArray, clusters: IntArray, centres: FloatArray) -> FloatArray:
    """Return the softmax's weights that predict best which LLMs err, shape (1 + size, clusters).

    Minimises the mean of -[e log g + (1 - e) log(1 - g)] over queries and LLMs, where g = Phi(x) Psi and Psi is fixed.
    """
    n_clusters, was_asked = len(centres), ~np.isnan(errors)
    psi = cluster_means(errors, clusters, n_clusters, _PRIOR_COUNT)
    # The descent starts at a softmax of the distances to the centres.
    intercepts = -_SHARPNESS / 2 * np.square(centres).sum(axis=1)
    weights: FloatArray = np.concatenate([intercepts[None], _SHARPNESS * centres.T])
    inputs = with_intercept(queries)

    def gradient(theta: FloatArray) -> tuple[FloatArray]:
        phi = softmax(inputs @ theta)
        gamma = np.clip(phi @ psi, _CLIP, 1 - _CLIP)
        by_gamma = np.where(was_asked, gamma - errors, 0.0) / (gamma * (1 - gamma)) / was_asked.sum()
        by_phi = by_gamma @ psi.T
        by_logit = phi * (by_phi - (phi * by_phi).sum(axis=1, keepdims=True))
        return (inputs.T @ by_logit,)

    adam([weights], gradient, n_steps=_STEPS, learning_rate=_LEARNING_RATE)
    return weights


def _membership(observation: FloatArray, weights: FloatArray) -> FloatArray:
    """Return Phi(x), shape (observations, clusters)."""
    membership: FloatArray = softmax(weights[0] + observation @ weights[1:])
    return membership
