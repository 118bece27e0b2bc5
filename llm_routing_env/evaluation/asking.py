"""Agents that may ask several LLMs about a query, in everybody's sessions."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import numpy as np

from llm_routing_env.agents import Agent, make_agent
from llm_routing_env.agents.parts.ask_view import seen_of_asks
from llm_routing_env.envs.asking_table import asking_table
from llm_routing_env.envs.facts import MASK
from llm_routing_env.envs.multi import PickLLMMultiEnv
from llm_routing_env.envs.multi_vector import PickLLMMultiVectorEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.contestants import AgentContestant, Block, Work, require_fair
from llm_routing_env.evaluation.sessions import N_ASKS, OUTCOME, SessionLog
from llm_routing_env.evaluation.setting import Setting

_TOLD = ("llm_index", "query_reward", "accuracy", "cost_usd", "latency_s", N_ASKS)


class AskingContestant(AgentContestant):
    """An agent of `PickLLM-Multi-v0`, see `Contestant`: its row is of accepted answers and of all asks."""

    learns_late = False

    def __init__(self, agent: str, parameters: Mapping[str, Any], *, name: str | None = None) -> None:
        """See `AgentContestant`."""
        super().__init__(agent, parameters, name=name)
        self.is_frozen = False  # it may be, but it is not a policy of one LLM per query
        self.learns = self.protocol == "online"

    def check(self, problem: RoutingProblem) -> None:
        """Construct the agent once, for its complaints, and make sure that it can be fitted."""
        require_fair(self, problem)
        query, measures = seen_of_asks(self.observation)
        sees: dict[str, Any] = {"observation": query, "measures": measures}
        env = PickLLMMultiEnv(problem.table, scorer=problem.scorer, weights=(1, 0, 0), **sees)
        make_agent(self.agent, env.task, **self.parameters)
        if not self.learns:
            asking_table(env.problem)

    def run(self, setting: Setting, work: Work, on_step: Callable[[int], None]) -> SessionLog:
        """See `Contestant`; the agent is fitted first."""
        assert isinstance(work, Block)
        with closing(setting.asking_env(len(work.seeds), self.observation, work.length)) as env:
            seeds = setting.session_seeds(self.agent, work.contexts, work.seeds)
            agent = make_agent(self.agent, env.task, n_sessions=env.num_envs, seed=seeds, **self.parameters)
            if not self.learns:
                table = asking_table(env.problem, seen_of_asks(self.observation)[1])
                agent.fit(table)  # type: ignore[arg-type]  # a table of its own kind
            return run_asks(env, agent, work, on_step, learns=self.learns)


class FittedAskingContestant(AskingContestant):
    """One that learns online by itself, and is fitted here."""

    protocol = "pretrained"

    def __init__(self, agent: str, parameters: Mapping[str, Any], *, name: str | None = None) -> None:
        """See `AgentContestant`."""
        super().__init__(agent, parameters, name=name)
        self.feedback = "full"


def run_asks(
    env: PickLLMMultiVectorEnv, agent: Agent, work: Block, on_step: Callable[[int], None], *, learns: bool = False
) -> SessionLog:
    """Run one session per sub-environment; a step of the log is a query, its LLM the one whose answer was accepted.

    An agent that learns is told of every step: its reward, and the accuracy (0 until an answer is accepted), cost and
    latency of the query so far.

    The regret is what the context's best LLM is expected to get less what the query got.
    """
    observation, info = env.reset(seed=list(work.seeds), options={"context": list(work.contexts)})
    found = {name: np.zeros((env.num_envs, work.length)) for name in (*_TOLD, "expected")}
    n_done, problem = np.zeros(env.num_envs, dtype=np.int64), env.problem
    truth, nothing = problem.truth, np.zeros(env.num_envs)
    best = truth.context_means[np.arange(len(truth.optimal_actions)), truth.optimal_actions]
    while (n_done < work.length).any():
        actions = np.asarray(agent.select_action(observation, info[MASK]))
        rows = env.waiting_cells // (problem.table.n_llms * problem.table.n_repeats)
        seen, (observation, rewards, *_, info) = observation, env.step(actions)
        if learns:
            agent.update(seen, actions, rewards, {name: info.get(name, nothing) for name in OUTCOME})
        done = np.flatnonzero(info["query_done"] & (n_done < work.length)) if "query_done" in info else n_done[:0]
        for name in _TOLD:
            if len(done):
                found[name][done, n_done[done]] = (info | _as_true(info))[name][done]
        found["expected"][done, n_done[done]] = best[rows[done]]
        n_done[done] += 1
        on_step(len(done))
    measures = {name: found[name] for name in (*OUTCOME, N_ASKS)}
    n_llms = problem.table.n_llms
    return SessionLog(
        actions=found["llm_index"].astype(np.int64),
        rewards=found["query_reward"],
        measures=measures | {"regret": found["expected"] - found["query_reward"]},
        final_probabilities=np.full((env.num_envs, n_llms), np.nan),
        commit_steps=np.full(env.num_envs, np.nan),
        commitments=np.full(env.num_envs, -1),
    )


def _as_true(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a scenario tells otherwise, as it is."""
    return {name: info[f"true_{name}"] for name in ("query_reward", "accuracy") if f"true_{name}" in info}
