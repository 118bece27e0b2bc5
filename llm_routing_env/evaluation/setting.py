"""What every agent of a comparison faces."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.agents.parts.ask_view import seen_of_asks
from llm_routing_env.agents.parts.generators import SessionSeeds
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.envs.delay import Delay
from llm_routing_env.envs.live_vector import PickLLMLiveVectorEnv
from llm_routing_env.envs.multi_vector import PickLLMMultiVectorEnv
from llm_routing_env.envs.options import ProblemOptions
from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.envs.vector import PickLLMVectorEnv
from llm_routing_env.envs.vector_base import RoutingVectorEnv
from llm_routing_env.evaluation.live_access import LiveAccess
from llm_routing_env.evaluation.past import Past
from llm_routing_env.tables.table import OutcomeTable

ROUTING, ASKING, OBJECTIVES = ENVIRONMENTS = ("PickLLM-v0", "PickLLM-Multi-v0", "PickLLM-MO-v0")


@dataclass(frozen=True)
class Setting:
    """What every agent of a comparison faces.

    Attributes:
        options: See `ProblemOptions`; the observation is the agent's, and `max_usd_per_query` what it is to keep to.
        length: Queries per session at most.
        seed: Of the agents; sessions have seeds of their own.
        propensities: Whether the probability of each action is logged.
        live: How live LLMs are reached; None for recorded outcomes.
        feedback_delay: By how many steps rewards reach the agents late; None: they come at once.
        past: What lies before the sessions, for agents that have learned by then.
        env: The id of the environment; agents of `PickLLM-v0` face in `PickLLM-Multi-v0` what they face there.
    """

    options: Mapping[str, Any]
    length: int = SESSION_LENGTH
    seed: int = 0
    propensities: bool = False
    live: LiveAccess | None = None
    feedback_delay: Delay | None = None
    past: Past = field(default_factory=Past)
    env: str = ROUTING

    def __post_init__(self) -> None:
        """Refuse what is no environment to compare in."""
        if self.env not in ENVIRONMENTS:
            raise unknown_name("env", self.env, ENVIRONMENTS)
        if self.env == ASKING and self.live is not None:
            raise ValueError(f"{ASKING} is compared on recorded outcomes only: leave the live backend out.")

    def before(self, length: int = SESSION_LENGTH) -> "Setting":
        """Return the setting of the past: sessions of the train split, contexts mixed, recorded, without a scenario."""
        options = {name: value for name, value in self.options.items() if name != "scenario"}
        return replace(self, options={**options, "split": "train", "context": MIXED}, length=length, live=None)

    @property
    def table(self) -> str | Path | OutcomeTable:
        """The outcome table."""
        table: str | Path | OutcomeTable = self.options.get("table", ProblemOptions.table)
        return table

    def vector_env(self, n_sessions: int, observation: str) -> RoutingVectorEnv:
        """Return an environment of so many sessions, with autoreset disabled and numbers in `info`."""
        options = {**self.options, "observation": observation, "info": "numbers"}
        if self.live is None:
            return PickLLMVectorEnv(n_sessions, self.length, "DISABLED", **options)
        options |= {"backend": self.live.open(self.table), "pool": self.live.pool_for(self.table)}
        return PickLLMLiveVectorEnv(n_sessions, self.length, "DISABLED", **options)

    def asking_env(self, n_sessions: int, observation: str, n_queries: int) -> PickLLMMultiVectorEnv:
        """Return an environment of so many sessions in which several LLMs may be asked; those that end start anew.

        Args:
            n_sessions: How many.
            observation: What is seen of a query, of its asks and of their answers, "embedding+asks".
            n_queries: Of each session.
        """
        query, measures = seen_of_asks(observation)
        own = {"observation": query, "measures": measures, "info": "numbers"}
        options = {"reward": ProblemOptions.reward, **self.options, **own}
        return PickLLMMultiVectorEnv(n_sessions, "NEXT_STEP", n_queries=n_queries, **options)

    def problem(self, observation: str = "none") -> RoutingProblem:
        """Return what is routed.

        Raises:
            ValueError: If the live LLMs are not the table's: nothing would be known of the references.
            ImportError: If the live scorer needs what is not installed.
            ServingError: If the live pool is not being served.
        """
        options = {**self.options, "observation": observation}
        if self.live is None:
            return RoutingProblem(**options)
        from llm_routing_env.rewards.scorers import get_scorer  # recorded sessions need none, and start sooner without

        self.live.require_served(self.table)
        pool = self.live.pool_for(self.table)
        problem = RoutingProblem(**options, pool=pool)
        if not problem.knows_truth:
            raise ValueError(
                f"The pool's LLMs are {', '.join(pool.llm_names)}, the table's {', '.join(problem.table.llm_names)}: "
                "agents are judged beside what the table knows, so record this pool first (`pickllm record`)."
            )
        get_scorer(problem.scorer)  # whatever it needs, before anything is sent
        return problem

    def agent_seed(self, agent: str, purpose: str) -> int:
        """Return the seed of an agent: hashed, so that it does not depend on which others are compared.

        Args:
            agent: Its name.
            purpose: What it is for.
        """
        return zlib.crc32(f"{self.seed}/{agent}/{purpose}".encode())

    def session_seeds(self, agent: str, contexts: Sequence[str], seeds: Sequence[int]) -> SessionSeeds:
        """Return the seeds of an agent's sessions: each one's own, so that it does not depend on the others.

        Args:
            agent: Its name.
            contexts: One per session.
            seeds: The environment's seed of each session.
        """
        sessions = zip(contexts, seeds, strict=True)
        each = (self.agent_seed(agent, f"{context}/{seed}") for context, seed in sessions)
        return SessionSeeds(self.agent_seed(agent, "common"), each)
