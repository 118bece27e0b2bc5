"""Routers from files as contestants: as they stand, or learning on."""

from collections.abc import Mapping
from typing import Any

from llm_routing_env.agents import Agent
from llm_routing_env.agents.parts.frozen import Frozen
from llm_routing_env.agents.parts.generators import SessionSeeds
from llm_routing_env.agents.parts.lifting import LiftedAgent
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.contestants import AgentContestant, Block, Training
from llm_routing_env.evaluation.late_feedback import needs_lifted
from llm_routing_env.evaluation.lifelong import LifelongContestant
from llm_routing_env.evaluation.past import LIVES
from llm_routing_env.evaluation.protocols import require_offered
from llm_routing_env.evaluation.router import Router, read_router
from llm_routing_env.evaluation.setting import Setting

SAVED = "saved"


class RouterContestant(AgentContestant):
    """A router as its file has it: it learns nothing more, so that every query has one distribution over the LLMs."""

    protocol = SAVED

    def __init__(self, router: Router, *, name: str) -> None:
        """Take part under the row's name."""
        super().__init__(router.learned.agent, router.header["hyperparameters"], name=name)
        self.observation, self.is_frozen = router.observation, self.protocol == SAVED
        self._router, self.router = router, router.facts()

    def check(self, problem: RoutingProblem) -> None:
        """Read the agent once, for what it cannot be used on."""
        require_unseen(self, problem)
        self._router.learner(problem)

    def n_trainings(self, asked_for: int) -> int:
        """See `Contestant`: there was one."""
        return 1

    def _made(
        self, setting: Setting, problem: RoutingProblem, work: Block | Training, seed: int, n_sessions: int
    ) -> Agent:
        return Frozen(self._router.learner(problem), n_sessions=n_sessions, seed=seed)


class LearningRouterContestant(RouterContestant, LifelongContestant):
    """Lifetimes that all start from what a file knows, without another past, and go on learning."""

    protocol = LIVES

    def _born(self, setting: Setting, problem: RoutingProblem, seeds: SessionSeeds) -> Agent:
        learner = self._router.learner(problem)
        if needs_lifted(setting.feedback_delay):
            return LiftedAgent(
                lambda seed: learner.copies(None, seed), problem.task, n_sessions=len(seeds.sessions), seed=seeds
            )
        return learner.copies(len(seeds.sessions), seeds)


def router_contestant(path: str, protocol: str, given: Mapping[str, Any], row: str) -> RouterContestant:
    """Return a router as a contestant.

    Args:
        path: Its file.
        protocol: "lifelong", or "" where none is said.
        given: Hyperparameters, of which there may be none.
        row: The row's name.

    Raises:
        ValueError: If the file is no router's, or it cannot take part so.
    """
    router = read_router(path)
    if given:
        raise ValueError(
            f"{path} keeps the hyperparameters that it learned with: {min(given)} is set when it is trained, by "
            "`pickllm train --param`."
        )
    lives = (LIVES,) if LIVES in router.agent_class.protocols() else ()
    if not protocol:
        return RouterContestant(router, name=row)
    require_offered(path, protocol, (SAVED, *lives))
    return (LearningRouterContestant if protocol == LIVES else RouterContestant)(router, name=row)


def require_unseen(contestant: RouterContestant, problem: RoutingProblem) -> None:
    """Raise ValueError if the router would be judged on queries that it learned from."""
    if problem.split != "test":
        raise ValueError(
            f"{contestant.name} learned on the train split, so it can only be judged on the test split: give "
            f"split='test', not {problem.split!r}."
        )
