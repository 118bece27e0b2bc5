"""Who takes part in a comparison, and the blocks of sessions that they run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents import Agent, agent_class, make_agent, observation_of
from llm_routing_env.agents.parts.registry import require_hyperparameters
from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.evaluation.late_feedback import needs_lifted
from llm_routing_env.evaluation.sessions import Floats, Ints, SessionLog, chances_of, run_sessions
from llm_routing_env.evaluation.setting import ASKING, OBJECTIVES, ROUTING, Setting
from llm_routing_env.rewards.reference_free import response_distances

BLOCK_SIZE = 512
BATCH_SIZE = 256  # queries that a frozen agent is asked about at a time
TRAINING_SEEDS = 5  # fewer say little about what training's chance does


@dataclass(frozen=True)
class Block:
    """Sessions that are run together, all of one length.

    Attributes:
        contexts: One per session.
        seeds: The environment's seed of each session.
        length: Queries of each session.
    """

    contexts: tuple[str, ...]
    seeds: tuple[int, ...]
    length: int

    @property
    def n_queries(self) -> int:
        """How many queries its sessions have in all."""
        return len(self.seeds) * self.length


@dataclass(frozen=True)
class Training:
    """One training of an agent that is frozen afterwards, judged on every query.

    Attributes:
        number: Which of the training seeds.
        n_queries: How many queries are judged.
    """

    number: int
    n_queries: int


@dataclass(frozen=True)
class Lives:
    """Lifetimes that are run together: one after another, the sessions of each.

    Attributes:
        past: What they route before they are judged, a session of each; None: nothing.
        turns: The sessions that are judged: in each turn one of each lifetime, all of one length.
        sessions: Which of its context's sessions each of them is, by turn, then lifetime.
    """

    past: Block | None
    turns: tuple[Block, ...]
    sessions: tuple[tuple[int, ...], ...]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All sessions, in order."""
        return (*((self.past,) if self.past else ()), *self.turns)

    @property
    def n_queries(self) -> int:
        """How many queries they have in all."""
        return sum(block.n_queries for block in self.blocks)


Work = Block | Training | Lives
Result = SessionLog | Floats | list[SessionLog]  # of sessions, of a training its policy, of lives each of `blocks`


class Contestant(Protocol):
    """An agent in a comparison.

    Attributes:
        name: The row's name, unique in a comparison.
        agent: The agent's name, as the user gave it.
        protocol: "online": a fresh learner per session, judged on every query it routes. "lifelong": one through many
            sessions. "logged": it learned from a log first. "pretrained": fitted on the train split, judged on the test
            split.
        feedback: What it learns from: "bandit", "full" or "none".
        observation: What it sees.
        parameters: The hyperparameters given.
        block_size: Most sessions to run together.
        maximises: What it is made to maximise: "reward", or a measure that leaves it out of rankings by reward.
        is_frozen: Whether it learns nothing while it routes: then its means are exact, and are taken over trainings.
        learns: Whether what it is told while it routes changes it.
        learns_late: Whether it can be told of a reward after later choices.
        router: The file that it comes from and what it learned on, see `Router.facts`; None: it is made for this
            comparison.
        environments: Ids of those that it can take part in.
    """

    name: str
    agent: str
    protocol: str
    feedback: str
    observation: str
    parameters: Mapping[str, Any]
    block_size: int
    maximises: str
    is_frozen: bool
    learns: bool
    learns_late: bool
    router: Mapping[str, Any] | None
    environments: tuple[str, ...]

    def check(self, problem: RoutingProblem) -> None:
        """Raise ValueError where the agent cannot take part: before anything is run."""

    def run(self, setting: Setting, work: Work, on_step: Callable[[int], None]) -> Result:
        """Run the sessions of a block, or live, or train and tell what of it is frozen then.

        Args:
            setting: What it faces.
            work: The sessions, the lives, or the training.
            on_step: Told how many queries were routed.

        Returns:
            The log of the sessions; of lives those of each of `blocks`; of a training the probability of each LLM for
            each query, shape (rows, LLMs).
        """
        ...

    def n_trainings(self, asked_for: int) -> int:
        """Return how many trainings there are to judge, of those asked for."""
        ...


class AgentContestant:
    """An agent of this library, or anyone's `module:Class`, under its usual protocol; see `Contestant`."""

    protocol = ""  # the agent's
    block_size = BLOCK_SIZE
    learns_late = True
    router: Mapping[str, Any] | None = None

    def __init__(self, agent: str, parameters: Mapping[str, Any], *, name: str | None = None) -> None:
        """Look the agent up.

        Raises:
            ValueError: If there is no such agent.
        """
        described = agent_class(agent)
        require_hyperparameters(agent, parameters, "the comparison's to give: --seed and --sessions decide")
        self.name, self.agent = name or agent, agent
        self.parameters: Mapping[str, Any] = dict(parameters)
        self.protocol, self.feedback = self.protocol or described.protocol(), described.feedback
        self.observation = observation_of(agent, parameters)
        self.maximises, self.learns = described.maximises, self.feedback != "none"
        self.is_frozen = _is_frozen(described)
        self.sees_preferences = described.sees_preferences or described.environment == OBJECTIVES
        self.environments = _environments(described, is_fitted=self.is_frozen and self.protocol == "pretrained")

    def check(self, problem: RoutingProblem) -> None:
        """Construct the agent once, for its complaints about hyperparameters, and look for what it is fitted on."""
        require_fair(self, problem)
        make_agent(self.agent, problem.task_seeing(self.observation), **self.parameters)
        if self.protocol == "pretrained":
            problem.fittable_queries()
        if agent_class(self.agent).needs_responses:
            response_distances(problem.table)

    def run(self, setting: Setting, work: Work, on_step: Callable[[int], None]) -> Result:
        """See `Contestant`; a pretrained agent is fitted first."""
        assert not isinstance(work, Lives)
        if isinstance(work, Training):
            policy = self._frozen_policy(setting, work)
            on_step(work.n_queries)
            return policy
        with closing(setting.vector_env(len(work.seeds), self.observation)) as env:
            seeds = setting.session_seeds(self.agent, work.contexts, work.seeds)
            return run_sessions(
                env,
                self._made(setting, env.problem, work, seeds, env.num_envs),
                work.seeds,
                contexts=work.contexts,
                propensities=setting.propensities,
                delay=setting.feedback_delay,
                on_step=lambda: on_step(env.num_envs),
            )

    def n_trainings(self, asked_for: int) -> int:
        """See `Contestant`."""
        return asked_for

    def _frozen_policy(self, setting: Setting, training: Training) -> Floats:
        problem = setting.problem(self.observation)
        seed, size = setting.agent_seed(self.agent, f"training/{training.number}"), min(training.n_queries, BATCH_SIZE)
        return frozen_policy(self._made(setting, problem, training, seed, size), problem, problem.observations)

    def _made(
        self, setting: Setting, problem: RoutingProblem, work: Block | Training, seed: int, n_sessions: int
    ) -> Agent:
        agent = make_agent(
            self.agent,
            problem.task,
            n_sessions=n_sessions,
            seed=seed,
            lifted=isinstance(work, Block) and needs_lifted(setting.feedback_delay),
            **self.parameters,
        )
        self._teach(agent, setting, problem, work)
        return agent

    def _teach(self, agent: Agent, setting: Setting, problem: RoutingProblem, work: Block | Training) -> None:
        """Let the agent learn what it is to know before it is judged."""
        if agent.feedback == "full":
            agent.fit(problem.training_table(agent))


def frozen_policy(agent: Agent, problem: RoutingProblem, observations: NDArray[Any]) -> Floats:
    """Return an agent's probability of each LLM for each query that is judged, shape (rows, LLMs), 0 for the others.

    Args:
        agent: Routes a batch of queries at a time.
        problem: What is routed.
        observations: What it sees of each query of the table, shape (queries, size), or the texts.

    Raises:
        ValueError: If it answers otherwise when it is asked again.
    """
    size = len(agent._rows)

    def ask(rows: Ints) -> Floats:
        filled = np.resize(rows, size)  # the last batch is filled up
        mask = problem.cells.available[filled] if problem.is_masked else None
        return chances_of(agent, observations[filled % problem.table.n_queries], mask)[: len(rows)]

    policy = np.zeros(problem.cells.available.shape)
    for rows in batches_of(problem, size):
        policy[rows] = ask(rows)
    if not np.array_equal(policy[rows], ask(rows)):
        raise ValueError(
            "asked twice, it answers otherwise: an agent that changes while it routes has to say so in `_learn`."
        )
    return policy


def batches_of(problem: RoutingProblem, size: int) -> Iterator[Ints]:
    """Yield the rows of the queries that are judged, phase by phase, so many at a time."""
    judged = problem.queries_of(MIXED)
    for first in range(0, len(problem.cells.available), problem.table.n_queries):
        for start in range(0, len(judged), size):
            yield first + judged[start : start + size]


def describe(contestant: Contestant) -> dict[str, Any]:
    """Return what every table says of an agent, JSON-plain."""
    named = ("name", "agent", "protocol", "feedback", "observation", "maximises", "parameters")
    described = {attribute: getattr(contestant, attribute) for attribute in named}
    return described if contestant.router is None else described | {"router": contestant.router}


def require_fair(contestant: Contestant, problem: RoutingProblem) -> None:
    """Raise ValueError if the agent would be judged on queries that it was fitted on; see `Past.check` for others."""
    if contestant.protocol == "pretrained" and problem.split != "test":
        raise ValueError(
            f"{contestant.name} is fitted on the train split, so it can only be judged on the test split: "
            f"give split='test', not {problem.split!r}."
        )


def blocks_of(problem: RoutingProblem, seeds: Mapping[str, Sequence[int]], length: int, size: int) -> list[Block]:
    """Cut the sessions of all contexts into blocks of sessions of equal length, in a fixed order.

    Args:
        problem: The problem, which knows how many queries a context has.
        seeds: For each context, its sessions' seeds.
        length: Queries per session at most.
        size: Most sessions of a block.
    """
    by_length: dict[int, list[tuple[str, int]]] = {}
    for context, of_context in seeds.items():
        steps = min(length, len(problem.queries_of(context)))
        by_length.setdefault(steps, []).extend((context, seed) for seed in of_context)
    blocks = []
    for steps, sessions in by_length.items():
        for part in np.array_split(np.arange(len(sessions)), -(-len(sessions) // size)):
            contexts, of_block = zip(*(sessions[index] for index in part), strict=True)
            blocks.append(Block(contexts, of_block, steps))
    return blocks


def _environments(agent_type: type[Agent], *, is_fitted: bool) -> tuple[str, ...]:
    """Return the ids of the environments that an agent can take part in."""
    if agent_type.environment != ROUTING:
        return (agent_type.environment,)
    # Where several may be asked it asks one LLM, and accepts; of objectives one that is fitted is fitted to each.
    return (ROUTING, ASKING, OBJECTIVES) if is_fitted else (ROUTING, ASKING)


def _is_frozen(agent_type: type[Agent]) -> bool:
    """Say whether an agent that was fitted has one distribution per query, whatever it routed before."""
    routes = ("select_action", "update", "_select", "_learn")
    return agent_type.protocol() == "pretrained" and all(
        getattr(agent_type, name) is getattr(Agent, name) for name in routes
    )
