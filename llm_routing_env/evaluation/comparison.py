"""Compare agents on the same sessions, beside the references."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.agents.parts.whole import require_whole
from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.evaluation.block_store import BlockStore
from llm_routing_env.evaluation.conclude import conclude, note_recovery
from llm_routing_env.evaluation.contestants import (
    TRAINING_SEEDS,
    Contestant,
    Result,
    Training,
    Work,
    blocks_of,
)
from llm_routing_env.evaluation.drawn import contexts_of, draw_sessions, session_seeds
from llm_routing_env.evaluation.engines import Engine, make_engine, run_local
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.jobs import Failure, Job
from llm_routing_env.evaluation.judging import POOLED, Judge
from llm_routing_env.evaluation.late_feedback import read_delay
from llm_routing_env.evaluation.lifelong import lives_of
from llm_routing_env.evaluation.live_access import live_access
from llm_routing_env.evaluation.past import LIVES, Past
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.setting import ROUTING, Setting

# Told an agent's name, how many queries it has routed, and how many it will.
OnProgress = Callable[[str, int, int], None]


def compare(
    agents: Sequence[str],
    *,
    n_sessions: int = 100,
    length: int = SESSION_LENGTH,
    seed: int = 0,
    backend: str = "table",
    pool: str | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    propensities: bool = False,
    max_usd: float | None = None,
    max_requests: int | None = None,
    max_in_flight: int | None = None,
    engine: str = "local",
    address: str | None = None,
    training_seeds: int = TRAINING_SEEDS,
    feedback_delay: int | Sequence[Any] = 0,
    lifetimes: int | None = None,
    lifetime_queries: int | None = None,
    lifetimes_from: str | None = None,
    log: str | None = None,
    env: str = ROUTING,
    on_progress: OnProgress = lambda name, done, total: None,
    **problem: Any,
) -> Comparison:
    """Run every agent on the same sessions of every context.

    Args:
        agents: Registered names, "module:Class" of your own, or Stable-Baselines3's "ppo", "a2c", "dqn" or a
            "module:Class" derived from its algorithms: both as a fresh learner per session and pretrained;
            "ppo@online" and "ppo@pretrained" are one of the two. "ucb1@lifelong" and "ucb1@logged" have learned before
            they are judged. "router.npz" is one that `train` wrote, as it stands; "router.npz@lifelong" goes on
            learning. "b1=ucb1" is one under a name of its own, so that an agent can be compared with itself.
        n_sessions: Sessions per context.
        length: Queries per session (fewer where a context has fewer).
        seed: Of the sessions (the same for every agent), the agents and the intervals.
        backend: "table", or a live backend.
        pool: The live backend's pool.
        parameters: Hyperparameters, by agent or by the name given to it.
        propensities: Whether to log the probability of every action.
        max_usd: Most US dollars that a live comparison may spend, in all.
        max_requests: Most requests that it may send, retries included.
        max_in_flight: Most requests at once.
        engine: "local", or "ray" to spread the sessions over a cluster: the same numbers.
        address: Of the Ray cluster; None starts one on this machine.
        training_seeds: How often a pretrained agent is trained; it is judged by all of these trainings.
        feedback_delay: By how many steps rewards reach the agents late, as `DelayedFeedback` takes it: a number,
            `("geometric", p)` or `("uniform", low, high)`. Rewards due after a session's end are never learned from.
        lifetimes: How many lifelong learners share the sessions; None: one for each session of a context.
        lifetime_queries: Queries of the train split that each of them routes first; None: all.
        lifetimes_from: File of a log that they learn from instead.
        log: File of the log that logged agents learn from; None: uniform choices on the train split.
        env: "PickLLM-v0", or "PickLLM-Multi-v0" for agents that may ask several LLMs about a query; the others ask one.
        on_progress: Told, after every step, the agent, how many queries it has routed and how many it will; with a
            scenario twice, as every session is run without it too.
        problem: Arguments of `PickLLMEnv`: table, context, split, reward, weights, scorer, ...

    Raises:
        ValueError: For unknown names, or arguments that cannot be. What an agent raises while it runs is kept in
            `Comparison.failures`, and the others go on.
    """
    live = live_access(backend, pool, engine, max_usd=max_usd, max_requests=max_requests, max_in_flight=max_in_flight)
    past = Past(lifetimes, lifetime_queries, lifetimes_from, log)
    setting = Setting(problem, length, seed, propensities, live, read_delay(feedback_delay), past, env)
    return run_comparison(
        contestants(agents, parameters or {}),
        setting,
        n_sessions,
        engine=make_engine(engine, address),
        training_seeds=training_seeds,
        on_progress=on_progress,
    )


def run_comparison(
    contestants: Sequence[Contestant],
    setting: Setting,
    n_sessions: int,
    *,
    engine: Engine = run_local,
    blocks_folder: Path | None = None,
    training_seeds: int = TRAINING_SEEDS,
    on_progress: OnProgress = lambda name, done, total: None,
) -> Comparison:
    """Run contestants, see `compare`.

    Args:
        contestants: Who takes part.
        setting: What all of them face.
        n_sessions: Sessions per context.
        engine: Where they run.
        blocks_folder: Where finished blocks of sessions are kept; those that lie there already are not run again.
            The live outcomes of each block have a journal in `journals` beside it; see `LiveAccess.charge_journals`.
        training_seeds: See `compare`.
        on_progress: See `compare`.
    """
    result = _start(contestants, setting, n_sessions, training_seeds)
    store = BlockStore(blocks_folder, setting, result.problem.fingerprint) if blocks_folder else None
    jobs = [
        Job(contestant, work)
        for contestant in contestants
        for work in _works(contestant, setting, result, training_seeds)
    ]
    if store and setting.live is not None:
        jobs = [replace(job, journal=store.journal(job)) for job in jobs]
    count = _Counter(jobs, on_progress)
    finished: dict[Job, Result] = {}
    for job in jobs:
        kept = store.load(job) if store else None
        if kept is not None:
            finished[job] = kept
            count(job.contestant.name, job.work.n_queries)
    for job, outcome in engine([job for job in jobs if job not in finished], setting, count):
        if isinstance(outcome, Failure):
            result.failures[job.contestant.name] = outcome.line
            if outcome.is_of_budget:
                result.unfinished.append(job.contestant.name)
            continue
        finished[job] = outcome
        if store:
            store.save(job, outcome)
    conclude(
        result, setting, {name: [(j, finished[j]) for j in jobs if j.contestant.name == name] for name in result.agents}
    )
    if result.events and setting.live is None:  # live, every session would be paid for twice
        options = {name: value for name, value in setting.options.items() if name != "scenario"}
        quiet = run_comparison(
            [result.contestants[name] for name in result.agents],
            replace(setting, options=options),
            n_sessions,
            engine=engine,
            blocks_folder=blocks_folder,
            training_seeds=training_seeds,
            on_progress=on_progress,
        )
        note_recovery(result, quiet)
    return result


def _works(contestant: Contestant, setting: Setting, result: Comparison, training_seeds: int) -> Sequence[Work]:
    """Return the sessions or lives that a contestant runs, or the trainings by which it is judged."""
    if contestant.protocol == LIVES:
        if contestant.router is not None:  # its past is in its file
            setting = replace(setting, past=replace(setting.past, lifetime_queries=0))
        return lives_of(result.problem, setting, result.seeds, contestant.block_size)
    # What live LLMs answer is known only where they are asked.
    if contestant.is_frozen and setting.live is None:
        n_queries = len(result.problem.queries_of(MIXED))
        return [Training(number, n_queries) for number in range(contestant.n_trainings(training_seeds))]
    return blocks_of(result.problem, result.seeds, setting.length, contestant.block_size)


def _start(contestants: Sequence[Contestant], setting: Setting, n_sessions: int, training_seeds: int) -> Comparison:
    """Check everything that can be checked before anything is run, and choose the references."""
    require_whole("sessions", n_sessions, 1)
    require_whole("session length", setting.length, 1)
    require_whole("training seeds", training_seeds, 1)
    require_whole("seed", setting.seed, 0)
    problem = setting.problem()
    check_contestants(contestants, setting, problem, n_sessions)
    seeds = {context: session_seeds(setting.seed, context, n_sessions) for context in contexts_of(problem)}
    counts = (int(setting.seed), int(n_sessions), int(setting.length))
    drawn = {c: draw_sessions(problem, of_one, context=c, length=setting.length) for c, of_one in seeds.items()}
    judge = Judge(problem, drawn, int(setting.seed))
    result = Comparison(problem, judge.references[POOLED], *counts, seeds, drawn, judge)
    result.past = setting.past
    result.budget = setting.live.budget if setting.live else None
    result.feedback_delay = setting.feedback_delay
    result.contestants = {contestant.name: contestant for contestant in contestants}
    return result


def check_contestants(
    contestants: Sequence[Contestant], setting: Setting, problem: RoutingProblem, n_sessions: int
) -> None:
    """Raise ValueError where one cannot take part, or has a past that cannot be."""
    for contestant in contestants:
        if setting.feedback_delay is not None and not contestant.learns_late:
            raise ValueError(f"{contestant.name} learns from a reward at once, or never: leave it or the delay out.")
        if setting.env not in contestant.environments:
            only = contestant.environments[0]
            raise ValueError(f"{contestant.name} was made for {only}: compare it there, --env {only}.")
        if setting.propensities and ROUTING not in contestant.environments:
            raise ValueError(f"Steps of {contestant.name}, which may ask several LLMs, are not logged: no --log-steps.")
        contestant.check(problem)
    made, of_files = ({c.protocol for c in contestants if (c.router is None) == is_made} for is_made in (True, False))
    setting.past.check(made, problem, n_sessions, of_files=of_files)


class _Counter:
    """Adds up what each contestant has routed, for the progress display."""

    def __init__(self, jobs: Sequence[Job], on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._done: dict[str, int] = {}
        self._total: dict[str, int] = {}
        for job in jobs:
            self._total[job.contestant.name] = self._total.get(job.contestant.name, 0) + job.work.n_queries

    def __call__(self, name: str, n_queries: int) -> None:
        self._done[name] = self._done.get(name, 0) + n_queries
        self._on_progress(name, self._done[name], self._total[name])
