"""Agents that live through many sessions: one learner from the first query of its life to the last."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np

from llm_routing_env.agents import Agent, make_agent
from llm_routing_env.agents.parts.generators import SessionSeeds
from llm_routing_env.envs.delay import Delay
from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.envs.vector_base import RoutingVectorEnv
from llm_routing_env.evaluation.contestants import AgentContestant, Block, Lives, Work
from llm_routing_env.evaluation.late_feedback import needs_lifted
from llm_routing_env.evaluation.past import LIVES, past_rng, past_seed, read_past
from llm_routing_env.evaluation.sessions import Ints, SessionLog, run_sessions
from llm_routing_env.evaluation.setting import Setting


class LifelongContestant(AgentContestant):
    """A learner that routes the train split, then its share of the sessions that are judged, one after another."""

    protocol = LIVES

    def run(self, setting: Setting, work: Work, on_step: Callable[[int], None]) -> list[SessionLog]:
        """See `Contestant`; the log of the past comes first, where there is one, then one for each turn."""
        assert isinstance(work, Lives)
        # A life has the seeds of its first session: one of a single session is that of a fresh learner.
        seeds = setting.session_seeds(self.agent, work.turns[0].contexts, work.turns[0].seeds)
        n_lives, logs = len(seeds.sessions), []
        with closing(setting.vector_env(n_lives, self.observation)) as env:
            agent = self._born(setting, env.problem, seeds)
            if work.past is not None:
                with closing(setting.before(work.past.length).vector_env(n_lives, self.observation)) as before:
                    logs.append(_lived(before, agent, work.past, on_step, delay=setting.feedback_delay))
            for turn in work.turns:
                chances, delay = setting.propensities, setting.feedback_delay
                logs.append(_lived(env, agent, turn, on_step, propensities=chances, delay=delay))
        return logs

    def _born(self, setting: Setting, problem: RoutingProblem, seeds: SessionSeeds) -> Agent:
        """Return the learners, one for each life, as they are before they route."""
        agent = make_agent(
            self.agent,
            problem.task,
            n_sessions=len(seeds.sessions),
            seed=seeds,
            lifted=needs_lifted(setting.feedback_delay),
            **self.parameters,
        )
        if setting.past.lifetimes_from is not None:
            agent.fit_log(read_past(setting.past.lifetimes_from, problem))
        return agent


def _lived(
    env: RoutingVectorEnv,
    agent: Agent,
    block: Block,
    on_step: Callable[[int], None],
    *,
    propensities: bool = False,
    delay: Delay | None = None,
) -> SessionLog:
    return run_sessions(
        env,
        agent,
        block.seeds,
        contexts=block.contexts,
        propensities=propensities,
        delay=delay,
        on_step=lambda: on_step(env.num_envs),
    )


def lives_of(problem: RoutingProblem, setting: Setting, seeds: Mapping[str, Sequence[int]], size: int) -> list[Lives]:
    """Deal the sessions of all contexts to lifetimes, each session to one of them.

    With L lifetimes, lifetime l lives through the sessions l, l + L, ... of every context, in random order. Where
    sessions have several lengths, the drawn order of lengths is turned a little further for each lifetime, so that no
    context comes at the same place in all of them: a learning curve would take that context for progress. Those that
    come to the lengths in one order run together.

    Args:
        problem: What is judged.
        setting: See `Setting`.
        seeds: For each context, its sessions' seeds.
        size: Most lifetimes of a block.
    """
    n_sessions = len(next(iter(seeds.values())))
    n_lives = setting.past.lifetimes or n_sessions
    lengths = {context: min(setting.length, len(problem.queries_of(context))) for context in seeds}
    turns = past_rng(setting.seed, "turns").permutation(
        [length for length in lengths.values() for _ in range(n_sessions // n_lives)]
    )
    orders = [np.roll(turns, number * len(turns) // n_lives) for number in range(n_lives)]
    lots = [
        _lots(number, order, lengths, range(number, n_sessions, n_lives), setting.seed)
        for number, order in enumerate(orders)
    ]
    n_past, lives = _n_past(problem, setting), []
    for numbers in _together(orders, size):
        before = Block((MIXED,) * len(numbers), tuple(past_seed(setting.seed, number) for number in numbers), n_past)
        drawn = list(zip(*(lots[number] for number in numbers), strict=True))
        turns_of = tuple(
            Block(tuple(c for c, _ in of_turn), tuple(seeds[c][index] for c, index in of_turn), int(length))
            for of_turn, length in zip(drawn, orders[numbers[0]], strict=True)
        )
        sessions = tuple(tuple(index for _, index in of_turn) for of_turn in drawn)
        lives.append(Lives(before if n_past else None, turns_of, sessions))
    return lives


def _together(orders: Sequence[Ints], size: int) -> Iterator[list[int]]:
    """Yield the numbers of lifetimes that come to the lengths in one order, at most so many at a time."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for number, order in enumerate(orders):
        alike.setdefault(tuple(order.tolist()), []).append(number)
    for numbers in alike.values():
        for part in np.array_split(numbers, -(-len(numbers) // size)):
            yield part.tolist()


def _lots(
    number: int, turns: Ints, lengths: Mapping[str, int], sessions: Sequence[int], seed: int
) -> list[tuple[str, int]]:
    """Return the context and number of the sessions of a lifetime, in its order."""
    rng, lots = past_rng(seed, f"order/{number}"), [("", 0)] * len(turns)
    for length in np.unique(turns):
        own = [(context, session) for context, of_one in lengths.items() if of_one == length for session in sessions]
        for place, drawn in zip(np.flatnonzero(turns == length), rng.permutation(len(own)), strict=True):
            lots[place] = own[drawn]
    return lots


def _n_past(problem: RoutingProblem, setting: Setting) -> int:
    if setting.past.lifetimes_from is not None:
        return 0
    asked_for = setting.past.lifetime_queries
    return len(problem.table.select(None, "train")) if asked_for is None else asked_for


def judged_sessions(lived: Sequence[tuple[Lives, Sequence[SessionLog]]]) -> dict[str, SessionLog]:
    """Return the sessions that were judged, by context, in the order of their numbers."""
    parts: dict[str, list[SessionLog]] = {}
    numbers: dict[str, list[int]] = {}
    for lives, logs in lived:
        for turn, sessions, log in zip(lives.turns, lives.sessions, logs[-len(lives.turns) :], strict=True):
            contexts = np.array(turn.contexts)
            for context in dict.fromkeys(turn.contexts):
                rows = np.flatnonzero(contexts == context)
                parts.setdefault(context, []).append(log.rows(rows))
                numbers.setdefault(context, []).extend(sessions[row] for row in rows)
    return {
        context: SessionLog.concatenate(of_context).rows(np.argsort(numbers[context]))
        for context, of_context in parts.items()
    }
