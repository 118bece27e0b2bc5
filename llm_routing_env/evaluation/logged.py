"""Agents that learned from a log before they are judged."""

from llm_routing_env.agents import Agent
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.contestants import AgentContestant, Block, Training
from llm_routing_env.evaluation.past import LOGGED, past_rng, read_past, uniform_log
from llm_routing_env.evaluation.setting import Setting


class LoggedContestant(AgentContestant):
    """An agent that learned from a bandit log of the train split; see `Contestant`.

    A router is fitted on it, by each training seed on a log of its own, and frozen. A learner replays it before each
    session, each session a log of its own, and goes on learning in the session. A log that is given is everybody's.
    """

    protocol = LOGGED
    block_size = 64  # each session's log is held at once

    def _teach(self, agent: Agent, setting: Setting, problem: RoutingProblem, work: Block | Training) -> None:
        """See `AgentContestant`."""
        if setting.past.log is not None:
            agent.fit_log(read_past(setting.past.log, problem))
            return
        before = setting.before().problem(self.observation)
        if agent.feedback == "full":
            number = work.number if isinstance(work, Training) else 0
            agent.fit_log(uniform_log(before, past_rng(setting.seed, f"training/{number}")))
        elif isinstance(work, Block):
            sessions = zip(work.contexts, work.seeds, strict=True)
            rngs = (past_rng(setting.seed, f"{context}/{seed}") for context, seed in sessions)
            agent.fit_log([uniform_log(before, rng) for rng in rngs])
