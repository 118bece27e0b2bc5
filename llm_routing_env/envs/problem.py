"""What the environments share: the table, its rewards, and how a session is drawn."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llm_routing_env.agents import RoutingTask, TrainingTable
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.envs.course import Course
from llm_routing_env.envs.options import ProblemOptions, problem_options
from llm_routing_env.envs.phased_cells import PhasedCells
from llm_routing_env.envs.routing_task import require_affordable, routing_task
from llm_routing_env.envs.session import Session
from llm_routing_env.envs.truth import Truth
from llm_routing_env.observations.observed import kind_of, observation_size, observe, space_of
from llm_routing_env.rewards.base import Reward
from llm_routing_env.rewards.forms import make_reward
from llm_routing_env.rewards.objectives import cell_objectives
from llm_routing_env.rewards.reference_free import accuracies, mean_distances
from llm_routing_env.rewards.reward_table import RewardTable
from llm_routing_env.tables.cells import Cells
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.queries import NEXT
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.tables.train_split import train_split

if TYPE_CHECKING:  # recorded sessions need none, and start sooner without
    from llm_routing_env.agents import Agent
    from llm_routing_env.pools.pool import Pool

SPLITS = ("train", "test", "all")
MIXED = "mixed"


class RoutingProblem:
    """A routing bandit: queries by context, every reward, the observations, and the rule that draws a session.

    Attributes:
        table: The outcome table.
        cells: Its numbers, of every phase; a row of them is a query in a phase.
        recorded_cells: Those of the table, whatever a scenario brings.
        scenario: What changes in a session, as it was given; of a function its name.
        recorded_scenario: The same as logs keep it, see `scenarios.recorded_scenario`.
        same_as: Of each phase, the first one whose cells are the same, shape (phases,).
        course: When the phases of a session begin, and which contexts its queries come from.
        is_live: Whether LLMs are asked, so that what was never recorded of them does not matter.
        reward: The reward function, with its bounds.
        reward_table: Every reward of the cells.
        truth: What is expected of every LLM, and who is best.
        observation: What is seen of a query: the name it was asked for by, or "array".
        observations: Shape (queries, size); for "prompt" the texts, shape (queries,).
        max_usd_per_query: What routing a query may cost on average, in US dollars; None: whatever it costs.
        contexts: The contexts that have queries in the split.
        contexts_not_judged: The table's other contexts.
    """

    def __init__(
        self,
        table: str | Path | OutcomeTable = ProblemOptions.table,
        *,
        pool: Pool | None = None,
        is_live: bool = False,
        **options: Any,
    ) -> None:
        """Load and check everything.

        Args:
            table: See `ProblemOptions`.
            pool: The live LLMs, where they are known.
            is_live: Whether LLMs are asked, so that what was never recorded of them does not matter.
            options: See `ProblemOptions`.
        """
        given = problem_options({"table": table} | options)
        if given.split not in SPLITS:
            raise unknown_name("split", given.split, SPLITS)
        self.table, self.pool, self.split, self._given = load_table(given.table), pool, given.split, given
        self.is_live = is_live or pool is not None
        self.scorer = given.scorer or self.table.scorer
        reward = self._make_reward(given)
        own = self._recorded_cells()
        self._recorded_reward, self.recorded_cells = reward, own
        longest = len(self.table.select(None, self.split))
        phased = PhasedCells(own, given.scenario, self.table.llm_names, reward, longest=longest, is_live=self.is_live)
        if not self.knows_truth and any(phase.cells is not own for phase in phased.phases):
            raise ValueError("The scenario changes the LLMs of the table, and the pool has others: leave it out.")
        self.scenario, self.recorded_scenario = phased.scenario, phased.recorded_scenario
        self.cells, self.same_as, self.reward = phased.cells, phased.same_as, phased.widened(reward)
        self.reward_table = RewardTable(self.cells, self.reward)
        self.observation, self.observations = kind_of(given.observation), observe(self.table, given.observation)
        self.contexts_not_judged = self.table.contexts_without(self.split)
        self.contexts = tuple(name for name in self.table.contexts if name not in self.contexts_not_judged)
        self._require_queries()
        self.max_usd_per_query = given.max_usd_per_query
        require_affordable(self)
        self.context = self.check_context(given.context)
        self._queries = self._by_context(self.split)
        of_contexts, n_queries = [self._queries[name] for name in self.contexts], self.table.n_queries
        self.truth = Truth(self.reward_table, self.cells.available, of_contexts, n_queries)
        self.course = Course(phased.phases, self.contexts)
        for name in dict.fromkeys(name for topics in self.course.topics for name in topics if name != NEXT):
            self.check_context(name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # as `Facts`

    def _make_reward(self, given: ProblemOptions) -> Reward:
        return make_reward(
            self.table,
            given.reward,
            given.weights,
            t_scaling=given.t_scaling,
            cost_scale_usd=given.cost_scale_usd,
            extra_terms=given.extra_terms,
            deadline_s=self.pool.deadline_s if self.pool else 0.0,
        )

    def _recorded_cells(self) -> Cells:
        """Return the table's own numbers."""
        # A live session may use a scorer that the table did not record; truths then follow the table's own.
        recorded = self.scorer if not self.pool or self.scorer in self.table.scorers else self.table.scorer
        own = Cells.of(self.table, recorded, accuracies(self.table, recorded))
        if self.is_live:  # such an LLM can be asked what was never recorded of it
            own = replace(own, available=np.ones_like(own.available))
        return own

    def _require_queries(self) -> None:
        if not self.contexts:
            counts = ", ".join(f"{len(self.table.select(None, split))} in {split!r}" for split in SPLITS)
            raise ValueError(
                f"The table {self.table.name} has no query in the split {self.split!r}; it has {counts}: "
                "ask for another with split= or --split."
            )

    @cached_property
    def as_recorded(self) -> RoutingProblem:
        """The problem without its scenario: what one brings, be it at the first step, nobody knows before."""
        if self.scenario is None:
            return self
        plain = replace(self._given, table=self.table, scenario=None)
        return RoutingProblem(pool=self.pool, is_live=self.is_live, **vars(plain))

    def check_context(self, context: str | None) -> str | None:
        """Return `context` if it is one (or "mixed", or None), else raise ValueError."""
        if context in self.table.contexts and context not in self.contexts:
            known = ", ".join(self.contexts)
            raise ValueError(f"The context {context!r} has no query in the split {self.split!r}; these have: {known}.")
        if context is not None and context != MIXED and context not in self.contexts:
            raise unknown_name("context", context, (*self.contexts, MIXED))
        return context

    def draw_session(self, rng: np.random.Generator, context: str | None) -> Session:
        """Draw a session of all queries of a context (None: of one that is drawn too)."""
        if context is None:
            context = self.contexts[rng.integers(len(self.contexts))]
        own = rng.permutation(self._queries[context])
        repeats = rng.integers(self.table.n_repeats, size=len(own))
        phases = self.course.draw_phases(rng, len(own))
        queries = self.course.draw_queries(rng, context, own, phases, self._queries)
        rows = self.same_as[phases] * self.table.n_queries + queries
        available = self.cells.available[rows] if self.is_masked else None
        return Session(queries, repeats, phases, self.cells.number(rows, repeats), available)

    @property
    def first_steps(self) -> NDArray[np.int64]:
        """The step of a session at which each phase begins, at the latest where it is drawn, shape (phases,)."""
        return self.course.first_steps

    def query_weights(self, context: str, length: int, split: str | None = None) -> NDArray[np.float64]:
        """Return how much each query counts in a session, phase by phase; see `Course.weights`.

        Args:
            context: The session's own, or "mixed".
            length: Its steps.
            split: Of the queries; None: the problem's.

        Returns:
            Shape (phases, queries of the table).
        """
        queries = self._queries if split is None else self._by_context(split)
        return self.course.weights(context, length, queries, self.table.n_queries)

    def _by_context(self, split: str) -> dict[str, NDArray[np.int64]]:
        queries = {name: self.table.select(name, split) for name in self.contexts}
        return queries | {MIXED: self.table.select(None, split)}

    @cached_property
    def recorded_rewards(self) -> RewardTable:
        """The rewards of the table, whatever a scenario brings: be it at the first step, nobody knows it before."""
        return self.reward_table if self.scenario is None else RewardTable(self.recorded_cells, self._recorded_reward)

    @cached_property
    def comparable(self) -> NDArray[np.bool_]:
        """Whether an LLM can be asked and it is known what it would get, shape (rows, LLMs)."""
        return np.asarray(self.cells.available & ~np.isnan(self.reward_table.query_means))

    @cached_property
    def is_masked(self) -> bool:
        """Whether some LLM cannot be asked some query of the split, in a phase that a session may come to."""
        queries, longest = self._queries[MIXED], max(map(len, self._queries.values()))
        firsts = np.flatnonzero(self.course.earliest < longest) * self.table.n_queries
        return not all(self.cells.available[first + queries].all() for first in firsts.tolist())

    def queries_of(self, context: str, split: str | None = None) -> NDArray[np.int64]:
        """Return the queries of a context ("mixed": of all) in the problem's split or another, as rising indices."""
        if split is None:
            return self._queries[context]
        return self.table.select(None if context == MIXED else context, split)

    def expected_rewards(self, context: str | None = None, phase: int = 0) -> NDArray[np.float64]:
        """Return each LLM's expected reward in a context ("mixed" or None: over all) and a phase, shape (LLMs,)."""
        queries = self._queries[self.check_context(context) or MIXED]
        return self.reward_table.expected(phase * self.table.n_queries + queries)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that outcomes and rewards depend on: the table, the scenario's phases, the reward."""
        cells, digest = self.cells, hashlib.sha256(self.table.sha256.encode())
        numbers = [self.reward_table.rewards, cells.accuracy, cells.cost_usd, cells.latency_s]
        numbers += [] if cells.told is None else [cells.told]
        for array in (self.first_steps, cells.available, *numbers):
            digest.update(np.ascontiguousarray(array).tobytes())
        if self.scenario is not None:
            digest.update(self.course.described.encode())
        return digest.hexdigest()

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """The space of what is seen of a query."""
        return space_of(self.observations)

    @cached_property
    def reward_terms(self) -> dict[str, NDArray[np.float64]]:
        """Each weighted term of the reward that is told of every cell, shape (rows, LLMs, repeats)."""
        cells = self.cells.as_told
        return self.reward.terms(cells.accuracy, cells.cost_usd, cells.latency_s, cells.measures)

    @cached_property
    def told_rewards(self) -> NDArray[np.float64]:
        """What agents are told of every reward, shape (rows, LLMs, repeats); the true ones are in `reward_table`."""
        told = self.cells.as_told
        return self.reward_table.rewards if told is self.cells else RewardTable(told, self.reward).rewards

    @property
    def knows_truth(self) -> bool:
        """Whether the LLMs are the table's, so that regrets are known."""
        return self.pool is None or self.pool.llm_names == self.table.llm_names

    @cached_property
    def task(self) -> RoutingTask:
        """What an agent may know before it starts; costs and quantiles are of the train split."""
        return routing_task(self)

    def task_seeing(self, observation: str) -> RoutingTask:
        """Return the task of an agent that sees another kind of observation.

        Raises:
            ValueError: If there is no such kind, or the table has none of it.
        """
        if observation == self.observation:
            return self.task
        size = observation_size(observe(self.table, observation))
        return replace(self.task, observation=observation, observation_size=size)

    @cached_property
    def prompts(self) -> NDArray[np.int64]:
        """A number for each query, the same for the same prompt, shape (queries,); a query without one is its own."""
        texts = [query.prompt or (query.query_id,) for query in self.table.queries]
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        return np.array([numbers[text] for text in texts])

    def fittable_queries(self) -> NDArray[np.int64]:
        """Return the queries that pretrained agents are fitted on, as rising indices.

        Raises:
            ValueError: If the table has no train split, or was recorded on other LLMs than the pool's.
        """
        train = train_split(self.table, "pretrained agents cannot be fitted")
        if not self.knows_truth:
            raise ValueError(
                f"The table {self.table.name} was recorded on other LLMs than the pool's, "
                f"{', '.join(self.task.llm_names)}: pretrained agents cannot be fitted."
            )
        return train

    def training_table(self, agent: Agent | None = None) -> TrainingTable:
        """Return every LLM's mean outcomes on the train split, all contexts: what pretrained agents are fitted on.

        As they were recorded: of what a scenario brings nobody knows before it comes.

        Args:
            agent: Who is to be fitted, where it may need more than accuracies, costs and latencies: a comparison of the
                responses, or what each objective gets.

        Raises:
            ValueError: If the table has no train split, was recorded on other LLMs than the pool's, or lacks responses
                that are needed, or embeddings of them.
        """
        train, cells, rewards = self.fittable_queries(), self.recorded_cells, self.recorded_rewards
        compares = agent is not None and agent.needs_responses
        weighs = agent is not None and agent.task.shows_preference
        return TrainingTable(
            observations=self.observations[train],
            rewards=rewards.query_means[train],
            accuracy=cells.accuracy[train].mean(axis=2),
            cost_usd=cells.cost_usd[train].mean(axis=2),
            latency_s=cells.latency_s[train].mean(axis=2),
            prompts=self.prompts[train],
            response_distances=mean_distances(self.table, train) if compares else None,
            objectives=cell_objectives(cells, self._recorded_reward)[train].mean(axis=2) if weighs else None,
        )


def session_context(problem: RoutingProblem, options: dict[str, Any] | None) -> str | None:
    """Return the context that reset's options ask for, else the problem's own."""
    unknown = set(options or {}) - {"context"}
    if unknown:
        raise unknown_name("reset option", min(unknown), ["context"])
    return problem.check_context((options or {}).get("context", problem.context))
