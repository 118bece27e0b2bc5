"""Other libraries' contextual bandits as contestants: the same sessions, observations and rewards as everybody's.

    PYTHONPATH=. pickllm compare --agents linucb,benchmarks.peer_agents:ParetoBandit,benchmarks.peer_agents:VowpalWabbit

ParetoBandit (PyPI `paretobandit`, arXiv 2604.00136) is its own `DisjointLinUCBPolicy`, on rewards in [0, 1] as it asks
for, with its own `BudgetPacer` where a target is given. Vowpal Wabbit is `--cb_explore_adf` with a feature for each
dimension, an action's own constant, and their products (`-q qa`): each LLM's reward is linear in what is seen. Both
see what the other contextual bandits see.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.agents import Agent, RoutingTask
from llm_routing_env.agents.parts.distributions import restrict
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes


def unit_reward(reward: float, bounds: tuple[float, float]) -> float:
    """Return a reward as its share of what can occur."""
    low, high = bounds
    return (reward - low) / (high - low)


class Peer(Agent):
    """Learns in another library's object, which is not saved."""

    def save(self, path: str | Path, about: Mapping[str, Any] | None = None) -> None:
        """Refuse: what was learned is the other library's to save."""
        raise NotImplementedError(f"{type(self).__name__} is saved by its own library's means.")


class ParetoBandit(Peer):
    """ParetoBandit's disjoint LinUCB, paced to a target spend if one is given."""

    observation = "context+embedding32"

    def __init__(
        self,
        task: RoutingTask,
        *,
        seed: int | None = None,
        alpha: float = 0.5,
        init_lambda: float = 1.0,
        forgetting_factor: float = 1.0,
        max_usd_per_query: float | None = None,
    ) -> None:
        """Make its policy.

        Args:
            task: See `Agent`.
            seed: See `Agent`.
            alpha: Of the bonus; its own default is 0.01.
            init_lambda: Ridge.
            forgetting_factor: Below 1, old rewards count less.
            max_usd_per_query: Target of the pacer; None: without.
        """
        from pareto_bandit.budget_pacer import BudgetPacer
        from pareto_bandit.policy import DisjointLinUCBPolicy

        super().__init__(task, seed=seed)
        self.alpha, self.init_lambda, self.forgetting_factor = alpha, init_lambda, forgetting_factor
        self.max_usd_per_query = max_usd_per_query
        self._names = [str(arm) for arm in range(task.n_actions)]
        self._policy = DisjointLinUCBPolicy(
            self._names,
            dim=task.observation_size + 1,
            alpha=alpha,
            init_lambda=init_lambda,
            forgetting_factor=forgetting_factor,
            seed=seed,
        )
        self._pacer = None if max_usd_per_query is None else BudgetPacer(max_usd_per_query)
        self._bounds = task.reward_quantiles or task.reward_bounds
        costs = np.asarray(task.expected_cost_usd)
        highest = costs.max() or 1.0  # a table may have no costs
        self._norm_costs = dict(zip(self._names, (costs / highest).tolist(), strict=True))

    def _select(self, observation: FloatArray, allowed: BoolArray | None) -> IntArray:
        candidates = [name for name in self._names if allowed is None or allowed[0, int(name)]]
        penalties = None if self._pacer is None else self._pacer.get_extra_cost_penalties(self._norm_costs)
        chosen, _ = self._policy.select_arm(_with_one(observation), candidates, penalties)
        self._policy.mark_selected(chosen)
        return np.array([int(chosen)])

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        share = float(np.clip(unit_reward(float(reward[0]), self._bounds), 0, 1))  # as its router clamps
        self._policy.update(str(int(action[0])), _with_one(observation), share, advance_time=False)
        if self._pacer is not None:
            self._pacer.observe(float(outcome["cost_usd"][0]))


class VowpalWabbit(Peer):
    """Vowpal Wabbit's contextual bandit with action-dependent features."""

    observation = "context+embedding32"

    def __init__(
        self,
        task: RoutingTask,
        *,
        seed: int | None = None,
        exploration: str = "--epsilon 0.02",
        options: str = "",
    ) -> None:
        """Make its workspace.

        Args:
            task: See `Agent`.
            seed: See `Agent`.
            exploration: "--epsilon 0.05", "--squarecb", "--bag 5", ...
            options: Further options, such as "-l 0.1".
        """
        import vowpalwabbit

        super().__init__(task, seed=seed)
        self.exploration, self.options = exploration, options
        self._workspace = vowpalwabbit.Workspace(
            f"--cb_explore_adf {exploration} -q qa {options} --random_seed {(seed or 0) % 2**31} --quiet"
        )
        self._bounds = task.reward_bounds

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        chances = np.array(self._workspace.predict(self._example(observation)), dtype=np.float64)
        return restrict((chances / chances.sum())[None], allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        chance = self._probabilities(observation, self._allowed)[0, int(action[0])]
        if self._probability is not None:
            chance = float(self._probability[0])
        cost = 1 - unit_reward(float(reward[0]), self._bounds)
        self._workspace.learn(self._example(observation, (int(action[0]), cost, max(float(chance), 1e-3))))

    def _example(self, observation: FloatArray, told: tuple[int, float, float] | None = None) -> list[str]:
        shared = " ".join(f"{place}:{value:.6g}" for place, value in enumerate(observation[0].tolist()) if value)
        lines = [f"shared |q {shared}"]
        for arm in range(self.task.n_actions):
            label = f"{arm}:{told[1]:.6g}:{told[2]:.6g} " if told is not None and told[0] == arm else ""
            lines.append(f"{label}|a arm{arm}")
        return lines


def _with_one(observation: FloatArray) -> FloatArray:
    """Return the observation with a constant: LinUCB's regression has no intercept of its own."""
    return np.append(observation[0], 1.0)
