"""What the scalar and the vector environment share: the table, its rewards, and how a session is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llm_routing_env.agents import RoutingTask, TrainingTable
from llm_routing_env.envs.llm_info import llm_infos
from llm_routing_env.observations.observed import kind_of, observation_size, observe, space_of
from llm_routing_env.pools.pool import Pool, shipped_pools
from llm_routing_env.rewards.forms import make_reward
from llm_routing_env.rewards.reward_table import RewardTable
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.text import unknown_name

SPLITS = ("train", "test", "all")
INFOS = ("full", "numbers", "none")
NUMBERS = ("accuracy", "cost_usd", "latency_s", "prompt_tokens", "completion_tokens")
MIXED = "mixed"


class RoutingProblem:
    """A routing bandit: queries by context, every reward, the observations, and the rule that draws a session.

    Attributes:
        table: The outcome table.
        reward: The reward function, with its bounds.
        reward_table: Every reward of the table.
        observation: What is seen of a query: the name it was asked for by, or "array".
        observations: Shape (queries, size); for "prompt" the texts, shape (queries,).
        contexts: The contexts that have queries in the split.
        contexts_not_judged: The table's other contexts.
        optimal_actions: For each query, its context's best LLM on the split.
        context_best: For each query, the expected reward of that LLM.
        context_means: For each query, each LLM's expected reward in its context, shape (queries, LLMs).
    """

    def __init__(
        self,
        table: str | Path | OutcomeTable = "nano",
        *,
        pool: Pool | None = None,
        context: str | None = None,
        split: str = "test",
        observation: str | NDArray[Any] = "embedding",
        reward: str = "pickllm",
        weights: Sequence[float] = (1.0, 0.5, 0.5),
        scorer: str | None = None,
        t_scaling: float = 1.0,
        cost_scale_usd: float | None = None,
        extra_terms: Mapping[str, float] | None = None,
    ) -> None:
        """Load and check everything; see `PickLLMEnv` for the arguments. `pool`: the live LLMs, if any."""
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        self.table = load_table(table)
        self.scorer = scorer or self.table.scorer
        self.split = split
        self.reward = make_reward(
            self.table,
            reward,
            weights,
            t_scaling=t_scaling,
            cost_scale_usd=cost_scale_usd,
            extra_terms=extra_terms,
            deadline_s=pool.deadline_s if pool else 0.0,
        )
        self.pool = pool
        # A live session may use a scorer that the table did not record; truths then follow the table's own.
        recorded = self.scorer if not pool or self.scorer in self.table.scorers else self.table.scorer
        self.reward_table = RewardTable(self.table, self.reward, recorded)
        self.observation, self.observations = kind_of(observation), observe(self.table, observation)
        self.contexts_not_judged = self.table.contexts_without(split)
        self.contexts = tuple(name for name in self.table.contexts if name not in self.contexts_not_judged)
        self._require_queries()
        self.context = self.check_context(context)
        self._queries = {name: self.table.select(name, split) for name in self.contexts}
        self._queries[MIXED] = self.table.select(None, split)
        self._set_truth()

    def _set_truth(self) -> None:
        shape = (self.table.n_queries, self.table.n_llms)
        self.context_means = np.full(shape, np.nan)
        for name in self.contexts:
            queries = self._queries[name]
            self.context_means[queries] = self.reward_table.expected(queries)
        self.optimal_actions = np.argmax(self.context_means, axis=1)
        self.context_best = self.context_means.max(axis=1)
        self.oracle = self.reward_table.query_means.max(axis=1)

    def _require_queries(self) -> None:
        if not self.contexts:
            counts = ", ".join(f"{len(self.table.select(None, split))} in {split!r}" for split in SPLITS)
            raise ValueError(
                f"The table {self.table.name} has no query in the split {self.split!r}; it has {counts}: "
                "ask for another with split= or --split."
            )

    def check_context(self, context: str | None) -> str | None:
        """Return `context` if it is one (or "mixed", or None), else raise ValueError."""
        if context in self.table.contexts and context not in self.contexts:
            known = ", ".join(self.contexts)
            raise ValueError(f"The context {context!r} has no query in the split {self.split!r}; these have: {known}.")
        if context is not None and context != MIXED and context not in self.contexts:
            raise unknown_name("context", context, (*self.contexts, MIXED))
        return context

    def draw_session(
        self, rng: np.random.Generator, context: str | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw a session: its queries in order, and which repeat is used at each position.

        Everything random about a session is drawn here, before any action, so that agents face identical draws.
        """
        if context is None:
            context = self.contexts[rng.integers(len(self.contexts))]
        order = rng.permutation(self._queries[context])
        return order, rng.integers(self.table.n_repeats, size=len(order))

    def queries_of(self, context: str, split: str | None = None) -> NDArray[np.int64]:
        """Return the queries of a context ("mixed": of all) in the problem's split or another, as rising indices."""
        if split is None:
            return self._queries[context]
        return self.table.select(None if context == MIXED else context, split)

    def expected_rewards(self, context: str | None = None) -> NDArray[np.float64]:
        """Return each LLM's expected reward in a context ("mixed" or None: over all), shape (LLMs,)."""
        return self.reward_table.expected(self._queries[self.check_context(context) or MIXED])

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """The space of what is seen of a query."""
        return space_of(self.observations)

    @property
    def knows_truth(self) -> bool:
        """Whether the LLMs are the table's, so that regrets are known."""
        return self.pool is None or self.pool.llm_names == self.table.llm_names

    def regrets(self, query: int, llm: int) -> dict[str, float | int]:
        """Return regret, oracle_regret and optimal_action of sending a query to an LLM; empty if not known."""
        if not self.knows_truth:
            return {}
        return {
            "regret": float(self.context_best[query] - self.context_means[query, llm]),
            "oracle_regret": float(self.oracle[query] - self.reward_table.query_means[query, llm]),
            "optimal_action": int(self.optimal_actions[query]),
        }

    @cached_property
    def task(self) -> RoutingTask:
        """What an agent may know before it starts; costs and quantiles are of the train split."""
        train = self.table.select(None, "train")
        if not len(train):
            train = self.table.select(None, "all")
        rewards = np.sort(self.reward_table.rewards[train], axis=None)
        # np.quantile would import numpy.ma, a twentieth of the time that it takes to make an environment.
        low, high = np.interp([0.05, 0.95], np.linspace(0, 1, rewards.size), rewards)
        llm_names = self.pool.llm_names if self.pool else self.table.llm_names
        return RoutingTask(
            n_actions=len(llm_names),
            observation_size=observation_size(self.observations),
            llm_names=llm_names,
            expected_cost_usd=self.expected_cost_usd(train),
            reward_bounds=self.reward.bounds,
            reward_quantiles=(float(low), float(high)) if low < high else None,
            llms=llm_infos(self, train),
            observation=self.observation,
        )

    def task_seeing(self, observation: str) -> RoutingTask:
        """Return the task of an agent that sees another kind of observation.

        Raises:
            ValueError: If there is no such kind, or the table has none of it.
        """
        if observation == self.observation:
            return self.task
        size = observation_size(observe(self.table, observation))
        return replace(self.task, observation=observation, observation_size=size)

    def training_table(self) -> TrainingTable:
        """Return every LLM's mean outcomes on the train split, all contexts: what pretrained agents are fitted on.

        Raises:
            ValueError: If the table has no train split, or was recorded on other LLMs than the pool's.
        """
        train = self.table.select(None, "train")
        if not len(train):
            raise ValueError(f"The table {self.table.path} has no train split: pretrained agents cannot be fitted.")
        if not self.knows_truth:
            raise ValueError(
                f"The table {self.table.path} was recorded on other LLMs than the pool's, "
                f"{', '.join(self.task.llm_names)}: pretrained agents cannot be fitted."
            )
        return TrainingTable(
            observations=self.observations[train],
            rewards=self.reward_table.query_means[train],
            accuracy=self.reward_table.accuracies[train].mean(axis=2),
            cost_usd=self.table.cost_usd[train].mean(axis=2),
            latency_s=self.table.latency_s[train].mean(axis=2),
        )

    def expected_cost_usd(self, train: NDArray[np.int64]) -> tuple[float, ...]:
        """Return the mean cost of some queries for each LLM, in US dollars, as the table or the pool's prices say."""
        if self.knows_truth:
            return tuple(np.nan_to_num(self.table.cost_usd[train].mean(axis=(0, 2))).tolist())
        prompt, completion, seconds = (
            float(values[train].mean())
            for values in (
                self.table.integers("prompt_tokens"),
                self.table.integers("completion_tokens"),
                self.table.latency_s,
            )
        )
        llms = self.pool.llms if self.pool else ()
        return tuple(llm.cost_usd(round(prompt), round(completion), seconds) for llm in llms)


def session_context(problem: RoutingProblem, options: dict[str, Any] | None) -> str | None:
    """Return the context that reset's options ask for, else the problem's own."""
    unknown = set(options or {}) - {"context"}
    if unknown:
        raise unknown_name("reset option", min(unknown), ["context"])
    return problem.check_context((options or {}).get("context", problem.context))


def pool_name(table: str | Path | OutcomeTable) -> str:
    """Return the name of the pool a table was recorded on.

    Raises:
        ValueError: If the table does not say, or the pool is not a shipped one.
    """
    name = load_table(table).metadata.get("pool", {}).get("name")
    if name not in shipped_pools():
        raise ValueError(
            f"The table was recorded on the pool {name!r}, which is not shipped: give pool=<its TOML file>."
        )
    return str(name)


def load_table(table: str | Path | OutcomeTable) -> OutcomeTable:
    """Read an outcome table, unless it is one, once per process and file version; its arrays are read-only."""
    if isinstance(table, OutcomeTable):
        return table
    path = Path(table)
    return _load_table(str(table), path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _load_table(name_or_path: str, modified_ns: int) -> OutcomeTable:
    return OutcomeTable.read(name_or_path)
