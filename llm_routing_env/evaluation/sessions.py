"""Run an agent over many sessions at once and keep what happened."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.lifting import LiftedAgent
from llm_routing_env.agents.parts.signatures import given_mask
from llm_routing_env.backends.budget import BudgetError
from llm_routing_env.envs.delay import Delay
from llm_routing_env.envs.facts import MASK
from llm_routing_env.envs.vector_base import RoutingVectorEnv
from llm_routing_env.evaluation.failed_calls import LiveCalls, Mask, Texts
from llm_routing_env.evaluation.late_feedback import LateFeedback

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
OUTCOME = ("accuracy", "cost_usd", "latency_s")  # what agents are told of a call
MEASURES = (*OUTCOME, "regret")
N_ASKS = "n_asks"
TOKENS = ("prompt_tokens", "completion_tokens")


@dataclass(frozen=True)
class SessionLog:
    """What happened in sessions of one length; the first axis of every array is the session.

    Attributes:
        actions: The LLM asked, shape (sessions, steps).
        rewards: The true reward, whatever the agent was told, shape (sessions, steps).
        measures: "accuracy" (the true one), "cost_usd", "latency_s", "regret" (expected, to the context's best LLM),
            same shape; of agents that may ask several LLMs about a query also "n_asks", and then cost and latency are
            of all asks, the LLM is the one whose answer was accepted, and the regret is what the context's best LLM is
            expected to get less the reward.
        final_probabilities: Each LLM's probability after the last step, shape (sessions, LLMs); NaN where the
            agent gives none.
        commit_steps: Queries routed when the agent committed, NaN where it did not, shape (sessions,).
        commitments: The LLM it committed to, -1 where it did not, shape (sessions,).
        propensities: The probability with which each action was chosen, shape (sessions, steps); None where not
            asked for.
        failed: Whether the call failed, shape (sessions, steps); None where the table knows.
        first_errors: What each LLM's first failed call of the session said, "" where it has none, shape
            (sessions, LLMs); None where the table knows.
        cut: Whether the answer was cut at `max_tokens`, shape (sessions, steps); None where the table knows.
        tokens: How many were read and written, shape (sessions, steps, 2); None where the table knows.
    """

    actions: Ints
    rewards: Floats
    measures: dict[str, Floats]
    final_probabilities: Floats
    commit_steps: Floats
    commitments: Ints
    propensities: Floats | None = None
    failed: Mask | None = None
    first_errors: Texts | None = None
    cut: Mask | None = None
    tokens: Ints | None = None

    def rows(self, index: slice | NDArray[np.int64]) -> "SessionLog":
        """Return some of the sessions."""

        def pick(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: pick(inner) for name, inner in value.items()}
            return None if value is None else value[index]

        return SessionLog(**{f.name: pick(getattr(self, f.name)) for f in fields(self)})

    @staticmethod
    def concatenate(logs: Sequence["SessionLog"]) -> "SessionLog":
        """Return the sessions of several logs of the same length as one."""

        def join(name: str) -> Any:
            values = [getattr(log, name) for log in logs]
            return None if values[0] is None else np.concatenate(values)

        measures = {name: np.concatenate([log.measures[name] for log in logs]) for name in logs[0].measures}
        arrays = {f.name: join(f.name) for f in fields(SessionLog) if f.name != "measures"}
        return SessionLog(measures=measures, **arrays)


def run_sessions(
    env: RoutingVectorEnv,
    agent: Agent,
    seeds: Sequence[int],
    *,
    contexts: Sequence[str],
    propensities: bool = False,
    delay: Delay | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> SessionLog:
    """Run one session per sub-environment, until they end.

    Args:
        env: Sessions of equal length, with autoreset disabled and numbers in `info`.
        agent: Made with `n_sessions=env.num_envs`; is told that a session begins, and learns as it goes.
        seeds: One per session.
        contexts: One per session.
        propensities: Whether to log the probability of each action, which some agents have to integrate for.
        delay: By how many steps rewards reach the agent late, see `LateFeedback`; None: they come at once.
        on_step: Called after every step, for a progress display.

    Raises:
        BudgetError: If a live session's budget is used up.
    """
    agent.begin_session()
    observation, info = env.reset(seed=list(seeds), options={"context": list(contexts)})
    steps, chances = [], []
    commit_steps = np.where(np.asarray(agent.committed_action) >= 0, 0.0, np.nan)
    ended = np.zeros(env.num_envs, dtype=bool)
    calls = LiveCalls(env.num_envs, agent.task.n_actions) if env.problem.is_live else None
    late = None if delay is None else LateFeedback(agent, delay, seeds)
    while not ended.any():
        masked = given_mask(agent.select_action, info.get(MASK))
        if propensities or late is not None:
            distribution = chances_of(agent, observation, info.get(MASK))
        action = np.asarray(agent.select_action(observation, **masked))
        if propensities or late is not None:
            chosen = chances_of_chosen(distribution, action)  # before anything is paid for
        following, reward, terminated, truncated, info = env.step(action)
        if terminated.any():
            raise BudgetError(info["error"][terminated.argmax()])
        if calls is not None:
            calls.add(action, info.get("error"), info["is_cut"], [info[name] for name in TOKENS])
        outcome = {name: info[name] for name in OUTCOME}
        if late is None:
            agent.update(observation, action, reward, outcome=outcome)
        else:
            late.add(observation, action, reward, outcome, chosen)
        observation, ended = following, truncated
        steps.append((action, *as_it_is(reward, info, np.full(env.num_envs, np.nan))))
        if propensities:
            chances.append(chosen)
        just_committed = np.isnan(commit_steps) & (np.asarray(agent.committed_action) >= 0)
        commit_steps[just_committed] = len(steps)
        on_step()
    actions, rewards, *measures = (np.stack(values, axis=1) for values in zip(*steps, strict=True))
    return SessionLog(
        actions=actions,
        rewards=rewards,
        measures=dict(zip(MEASURES, measures, strict=True)),
        final_probabilities=chances_of(agent, observation, info.get(MASK)),
        commit_steps=commit_steps,
        commitments=np.asarray(agent.committed_action),
        propensities=np.stack(chances, axis=1) if propensities else None,
        **(calls.arrays if calls is not None else {}),
    )


def as_it_is(reward: Any, info: Mapping[str, Any], unknown: Any = np.nan) -> list[Any]:
    """Return reward and `MEASURES` of a step as they are, not as they are told; `unknown` where one is not known."""
    true = {**info, "accuracy": info.get("true_accuracy", info["accuracy"])}
    return [info.get("true_reward", reward), *(true.get(name, unknown) for name in MEASURES)]


def chances_of(agent: Agent, observations: Any, mask: Any = None) -> Floats:
    """Return the probabilities with which an agent chooses, shape (sessions, LLMs); NaN where it does not tell.

    Args:
        agent: The agent.
        observations: What it sees, one per session.
        mask: 1 where an LLM can be asked, shape (sessions, LLMs); None: all can.

    Raises:
        ValueError: If what it tells are no probabilities.
    """
    unknown = np.full((len(observations), agent.task.n_actions), np.nan)
    if not tells_chances(type(agent.agents[0]) if isinstance(agent, LiftedAgent) else type(agent)):
        return unknown
    masked = given_mask(agent.action_probabilities, mask)
    try:
        chances = np.asarray(agent.action_probabilities(observations, **masked), dtype=np.float64)
    except NotImplementedError:  # a plug-in that only selects
        return unknown
    if chances.shape != unknown.shape:
        raise ValueError(f"action_probabilities must have the shape {unknown.shape}, got {chances.shape}.")
    is_fine = np.isfinite(chances).all(axis=1) & (chances >= 0).all(axis=1) & np.isclose(chances.sum(axis=1), 1.0)
    if not is_fine.all():
        wrong = chances[~is_fine][0].tolist()
        raise ValueError(f"action_probabilities must give numbers of 0 or more that sum to 1, got {wrong}.")
    return np.minimum(chances, 1.0)  # single precision rounds to above 1, which is no propensity


def chances_of_chosen(chances: Floats, actions: Ints) -> Floats:
    """Return the probability of each session's action, shape (sessions,); NaN where it is not told.

    Raises:
        ValueError: If one is 0: what the agent tells is not how it chooses.
    """
    chosen = np.asarray(chances[np.arange(len(actions)), actions])
    if (chosen == 0).any():
        wrong = int(np.argmax(chosen == 0))
        raise ValueError(
            f"the agent chose LLM {actions[wrong]}, of which action_probabilities told {chances[wrong].tolist()}: it "
            "must tell the probabilities with which select_action chooses next."
        )
    return chosen


def tells_chances(agent_type: type[Agent]) -> bool:
    """Say whether the probabilities are of the choices: of a class that chooses in its own way, they are its base's."""
    for base in agent_type.__mro__:
        if {"action_probabilities", "_probabilities"} & vars(base).keys():
            return True
        if {"select_action", "_select"} & vars(base).keys():
            return False
    return False
