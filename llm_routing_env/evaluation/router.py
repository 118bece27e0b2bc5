"""Routers in files: what an agent has learned, with what it learned on, so that it is used on nothing else."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env import __version__
from llm_routing_env.agents import AGENTS, Agent, agent_class
from llm_routing_env.agents.parts import checkpoint
from llm_routing_env.agents.parts.outcome_agent import OutcomeAgent
from llm_routing_env.agents.parts.task import PROMPT
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.growing import grown, old_task
from llm_routing_env.observations.observed import observe

SUFFIX = ".npz"
_OF_TEXTS = ("none", "context", "features", PROMPT)  # observations that are the same whatever else a table has
_SAME_COST_UNIT = 0.05  # rewards learned at a cost unit that is further off are others
_NUMBERS = ("t_scaling", "cost_scale_usd")  # of a reward
_SAME_VIEW = 1e-5  # of embeddings computed twice


@dataclass(frozen=True)
class Learned:
    """What a router learned on; JSON-plain as a dict.

    Attributes:
        agent: Registered name.
        prices: US dollars per million prompt and completion tokens of each LLM, by name; None: not known.
        reward: Form, weights, t_scaling, cost_scale_usd and extra_terms.
        scorer: What counts as accuracy.
        table: Name and sha256.
        contexts: The table's, in the order in which they are observed.
        example: A query's id and its observation; None where the text says it all.
        queries: Learned from, in all.
        routed: Those of them that it routed itself, of this table's train split.
        seed: Of the order in which it did.
        version: Of this package.
    """

    agent: str
    prices: dict[str, list[float | None]]
    reward: dict[str, Any]
    scorer: str
    table: dict[str, str]
    contexts: list[str]
    example: dict[str, Any] | None
    queries: int
    routed: int
    seed: int
    version: str = __version__

    def __post_init__(self) -> None:
        """Refuse what a file says that no router can have."""
        counts = (self.queries, self.routed, self.seed)
        if self.agent not in AGENTS or not all(type(count) is int and count >= 0 for count in counts):
            raise ValueError(f"it says that {self.agent!r} learned from {self.queries!r} queries")
        texts = (self.scorer, self.version, self.table["name"], self.table["sha256"], self.reward["form"])
        if not all(type(text) is str for text in texts) or type(self.contexts) is not list:
            raise ValueError("it does not say what scorer, table, reward and contexts it learned with")
        if type(self.prices) is not dict or not all(type(self.reward[name]) in (int, float) for name in _NUMBERS):
            raise ValueError("it does not say what prices and reward it learned with")
        if self.example is not None:
            np.asarray(self.example["observation"], dtype=np.float64)
            str(self.example["query_id"])


@dataclass(frozen=True, eq=False)
class Router:
    """An agent as a file has it.

    Attributes:
        path: The file.
        sha256: Its hash.
        learned: What the agent learned on.
        header: See `checkpoint.read`.
        arrays: See `checkpoint.read`.
    """

    path: str
    sha256: str
    learned: Learned
    header: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    @property
    def observation(self) -> str:
        """What the agent sees of a query."""
        return str(self.header["observation"])

    @property
    def agent_class(self) -> type[Agent]:
        """The agent's class."""
        return agent_class(self.learned.agent)

    def facts(self) -> dict[str, Any]:
        """Return which file it is, and what it learned on in short, JSON-plain."""
        of_learned = asdict(self.learned)
        return {"path": self.path, "sha256": self.sha256} | {
            name: of_learned[name] for name in ("table", "queries", "version")
        }

    def learner(self, problem: RoutingProblem) -> Agent:
        """Return the agent, for one session, where it stopped; LLMs that are new to it are taken in.

        Args:
            problem: What it is to route; its observations may be another agent's.

        Raises:
            ValueError: If the LLMs, what is seen of a query, or the reward are not those that it learned on.
        """
        old_task(self, problem.task)  # another pool is the first thing to say
        self._require_reward(problem)
        self._require_prices(problem)
        self._require_view(problem)
        task = problem.task_seeing(self.observation)
        try:
            known = self.agent_class.restored(self.path, self.header, self.arrays, old_task(self, task))
        except ValueError as error:
            if self.learned.version == __version__:
                raise
            raise ValueError(f"{error} It was written by version {self.learned.version}, not {__version__}.") from error
        return known if known.task.llm_names == task.llm_names else grown(known, self, task, problem)

    def _require_reward(self, problem: RoutingProblem) -> None:
        learned, faced = self.learned.reward, problem.reward.facts()
        for name in ("form", "weights", "t_scaling", "extra_terms"):
            if learned.get(name) != faced[name]:
                raise ValueError(
                    f"{self.path} learned the reward {learned['form']!r} with weights {learned.get('weights')}, not "
                    f"{faced['form']!r} with {faced['weights']}{'' if name in ('form', 'weights') else f' ({name})'}: "
                    "give its --reward and --weights, or train another."
                )
        if self.learned.scorer != problem.scorer:
            raise ValueError(
                f"{self.path} learned what the scorer {self.learned.scorer!r} counts as accuracy, not "
                f"{problem.scorer!r}: give its --scorer, or train another."
            )
        # What knows the objective computes its rewards anew.
        if issubclass(self.agent_class, OutcomeAgent):
            return
        old, new = learned["cost_scale_usd"], faced["cost_scale_usd"]
        if faced["weights"][1] and not math.isclose(old, new, rel_tol=_SAME_COST_UNIT):
            raise ValueError(
                f"{self.path} learned rewards in which {old:.3g} $ are a cost of 1; of the table {problem.table.name} "
                f"{new:.3g} $ are: give cost_scale_usd={old!r} in Python, or train another."
            )

    def _require_prices(self, problem: RoutingProblem) -> None:
        now = prices_of(problem)
        for llm in self.learned.prices.keys() & now.keys():
            if self.learned.prices[llm] != now[llm]:
                raise ValueError(
                    f"{self.path} learned at prices of {llm} of {self.learned.prices[llm]} $ per million tokens read "
                    f"and written, here they are {now[llm]}: train another."
                )

    def _require_view(self, problem: RoutingProblem) -> None:
        """Refuse a table whose observations mean something else; its hash is of outcomes alone."""
        table, learned, kinds = problem.table, self.learned, self.observation.split("+")
        if "context" in kinds and list(table.contexts) != learned.contexts:
            raise ValueError(
                f"{self.path} knows the contexts {', '.join(map(str, learned.contexts))}; the table {table.name} has "
                f"{', '.join(table.contexts)}: train another."
            )
        if set(kinds) <= set(_OF_TEXTS):
            return
        example = learned.example or {"query_id": None}
        if example["query_id"] not in table.query_ids:
            raise ValueError(
                f"{self.path} sees {self.observation!r}, learned on {learned.table['name']}; the table {table.name} "
                f"lacks the query {example['query_id']!r}, which shows whether its vectors mean that: train another."
            )
        seen = observe(table, self.observation)[list(table.query_ids).index(example["query_id"])]
        then = np.asarray(example["observation"], dtype=np.float64)
        if seen.shape != then.shape or not np.allclose(seen, then, atol=_SAME_VIEW):
            raise ValueError(
                f"{self.path} sees {self.observation!r}, but the vectors of the table {table.name} are others than "
                f"those of {learned.table['name']}, on which it learned: train another."
            )


def learned_on(problem: RoutingProblem, agent: str, *, queries: int, routed: int, seed: int) -> Learned:
    """Return what an agent learned on: a problem with the agent's observations."""
    example = None
    if not set(problem.observation.split("+")) <= set(_OF_TEXTS):
        query = int(problem.table.select(None, "train")[0])
        seen = problem.observations[query].tolist()
        example = {"query_id": problem.table.query_ids[query], "observation": seen}
    return Learned(
        agent=agent,
        prices=prices_of(problem),
        reward=problem.reward.facts(),
        scorer=problem.scorer,
        table={"name": problem.table.name, "sha256": problem.table.sha256},
        contexts=list(problem.table.contexts),
        example=example,
        queries=queries,
        routed=routed,
        seed=seed,
    )


def prices_of(problem: RoutingProblem) -> dict[str, list[float | None]]:
    """Return each LLM's prices, see `Learned`."""
    return {llm.name: [llm.input_price_usd_per_mtok, llm.output_price_usd_per_mtok] for llm in problem.task.llms}


def read_router(path: str | Path) -> Router:
    """Read a file that `pickllm train` wrote.

    Raises:
        ValueError: If it is none.
    """
    header, arrays = checkpoint.read(path)
    if "about" not in header:
        raise ValueError(
            f"{path} holds an agent, but not what it learned on: `pickllm train` writes files that say so; agents of "
            "agent.save are read by their class's load."
        )
    with checkpoint.refusing(path):
        learned = Learned(**header["about"])
        if header["agent"] != agent_class(learned.agent).__name__ or header["n_sessions"] is not None:
            raise ValueError(f"it holds no single learner {learned.agent!r}")
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return Router(str(path), digest, learned, header, arrays)


def write_router(path: str | Path, agent: Agent, learned: Learned) -> None:
    """Write an agent and what it learned on to one file, of arrays and JSON."""
    agent.save(path, asdict(learned))
