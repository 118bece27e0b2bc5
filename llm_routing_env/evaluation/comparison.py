"""Compare agents on the same sessions, beside the references."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.backends.budget import Budget
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.block_store import BlockStore
from llm_routing_env.evaluation.contestants import AgentContestant, Contestant, blocks_of, describe
from llm_routing_env.evaluation.engines import Engine, Failure, Job, make_engine, run_local
from llm_routing_env.evaluation.judging import POOLED, judge, random_rewards
from llm_routing_env.evaluation.references import References, choose_references
from llm_routing_env.evaluation.sb3 import SB3_ALGORITHMS, sb3_contestants
from llm_routing_env.evaluation.sessions import Ints, SessionLog, draw_sessions, reference_log
from llm_routing_env.evaluation.setting import Setting, live_options
from llm_routing_env.evaluation.statistics import Interval
from llm_routing_env.evaluation.verdicts import verdict

# Told an agent's name, how many queries it has routed, and how many it will.
OnProgress = Callable[[str, int, int], None]


@dataclass
class Comparison:
    """Everything a comparison found.

    Attributes:
        problem: What was routed.
        references: The policies that know the table.
        seed: Of sessions, agents and intervals.
        n_sessions: Per context.
        length: Queries per session at most.
        seeds: The environment's seed of each session, by context.
        contestants: Who took part, by row name.
        logs: By agent or reference, then context.
        metrics: By agent or reference, then context ("all": pooled, contexts weighted equally).
        verdicts: For each agent, in words whether it beats the best fixed LLM.
        failures: For each agent that raised, what it said; it has no logs.
        budget: What the requests of a live comparison may cost, and did; None where it is not known.
    """

    problem: RoutingProblem
    references: References
    seed: int
    n_sessions: int
    length: int
    seeds: dict[str, list[int]]
    contestants: dict[str, Contestant] = field(default_factory=dict)
    logs: dict[str, dict[str, SessionLog]] = field(default_factory=dict)
    metrics: dict[str, dict[str, dict[str, Interval]]] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    budget: Budget | None = None

    @property
    def agents(self) -> list[str]:
        """Row names of the agents that ran to the end, in order."""
        return [name for name in self.contestants if name not in self.failures]

    def document(self) -> dict[str, Any]:
        """Return the result as one JSON-plain document."""
        table = self.problem.table
        document = {
            "table": {"name": table.name, "sha256": table.sha256},
            "reward": self.problem.reward.form,
            "weights": list(self.problem.reward.weights),
            "scorer": self.problem.scorer,
            "split": self.problem.split,
            "seed": self.seed,
            "sessions": self.n_sessions,
            "length": self.length,
            "best_fixed_llm": self.references.best_fixed,
            "references": {name: self.metrics[name] for name in self.references.actions},
            "agents": [
                {**describe(self.contestants[name]), "context": context, "metrics": metrics}
                for name in self.agents
                for context, metrics in self.metrics[name].items()
            ],
            "verdicts": self.verdicts,
            "failures": [describe(self.contestants[name]) | {"error": line} for name, line in self.failures.items()],
        }
        if self.budget is not None:
            document["budget"] = self.budget.document()
        return document


def compare(
    agents: Sequence[str],
    *,
    n_sessions: int = 100,
    length: int = 200,
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
    on_progress: OnProgress = lambda name, done, total: None,
    **problem: Any,
) -> Comparison:
    """Run every agent on the same sessions of every context.

    Args:
        agents: Registered names, "module:Class" of your own, or Stable-Baselines3's "ppo", "a2c", "dqn": both as a
            fresh learner per session and pretrained; "ppo@online" and "ppo@pretrained" are one of the two.
        n_sessions: Sessions per context.
        length: Queries per session (fewer where a context has fewer).
        seed: Of the sessions (the same for every agent), the agents and the intervals.
        backend: "table", or a live backend.
        pool: The live backend's pool.
        parameters: Hyperparameters by agent.
        propensities: Whether to log the probability of every action.
        max_usd: Most US dollars that a live comparison may spend, in all.
        max_requests: Most requests that it may send, retries included.
        max_in_flight: Most requests at once.
        engine: "local", or "ray" to spread the sessions over a cluster: the same numbers.
        address: Of the Ray cluster; None starts one on this machine.
        on_progress: Told, after every step, the agent, how many queries it has routed and how many it will.
        problem: Arguments of `PickLLMEnv`: table, context, split, reward, weights, scorer, ...

    Raises:
        ValueError: For unknown names, or arguments that cannot be. What an agent raises while it runs is kept in
            `Comparison.failures`, and the others go on.
    """
    live = live_options(backend, engine, max_usd, max_requests, max_in_flight)
    setting = Setting(problem, length, seed, backend, pool, propensities, **live)
    return run_comparison(
        contestants(agents, parameters or {}),
        setting,
        n_sessions,
        engine=make_engine(engine, address),
        on_progress=on_progress,
    )


def contestants(agents: Sequence[str], parameters: Mapping[str, Mapping[str, Any]]) -> list[Contestant]:
    """Return who takes part; see `compare` for the names."""
    found: list[Contestant] = []
    for name in agents:
        given = parameters.get(name, {})
        is_sb3 = name.partition("@")[0] in SB3_ALGORITHMS
        found += sb3_contestants(name, given) if is_sb3 else [AgentContestant(name, given)]
    return found


def run_comparison(
    contestants: Sequence[Contestant],
    setting: Setting,
    n_sessions: int,
    *,
    engine: Engine = run_local,
    blocks_folder: Path | None = None,
    on_progress: OnProgress = lambda name, done, total: None,
) -> Comparison:
    """Run contestants, see `compare`.

    Args:
        contestants: Who takes part.
        setting: What all of them face.
        n_sessions: Sessions per context.
        engine: Where they run.
        blocks_folder: Where finished blocks of sessions are kept; those that lie there already are not run again.
            The live outcomes of each block have a journal in `journals` beside it; see `Setting.charge_journals`.
        on_progress: See `compare`.
    """
    result = _start(contestants, setting, n_sessions)
    store = BlockStore(blocks_folder, setting, result.problem.table.sha256) if blocks_folder else None
    jobs = [
        Job(contestant, block)
        for contestant in contestants
        for block in blocks_of(result.problem, result.seeds, setting.length, contestant.block_size)
    ]
    if store and setting.backend != "table":
        jobs = [replace(job, journal=store.journal(job)) for job in jobs]
    count = _Counter(jobs, on_progress)
    finished: dict[Job, SessionLog] = {}
    for job in jobs:
        log = store.load(job) if store else None
        if log is not None:
            finished[job] = log
            count(job.contestant.name, job.n_queries)
    for job, outcome in engine([job for job in jobs if job not in finished], setting, count):
        if isinstance(outcome, Failure):
            result.failures[job.contestant.name] = outcome.line
            continue
        finished[job] = outcome
        if store:
            store.save(job, outcome)
    for name in result.agents:
        logs = [(job, finished[job]) for job in jobs if job.contestant.name == name]
        result.logs[name] = _by_context(logs, list(result.seeds))
    _judge(result)
    return result


def _start(contestants: Sequence[Contestant], setting: Setting, n_sessions: int) -> Comparison:
    """Check everything that can be checked before anything is run, and let the references route."""
    for name, value in (("sessions", n_sessions), ("session length", setting.length)):
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}.")
    problem = setting.problem()
    for contestant in contestants:
        contestant.check(problem)
    contexts = [problem.context] if problem.context is not None else list(problem.contexts)
    seeds = {context: _session_seeds(setting.seed, context, n_sessions) for context in contexts}
    result = Comparison(problem, choose_references(problem), setting.seed, n_sessions, setting.length, seeds)
    result.budget = setting.budget
    result.contestants = {contestant.name: contestant for contestant in contestants}
    drawn = _drawn(result)
    for name, actions in result.references.actions.items():
        result.logs[name] = {context: reference_log(problem, actions, *drawn[context]) for context in contexts}
    return result


def _drawn(result: Comparison) -> dict[str, tuple[Ints, Ints]]:
    """Return the queries and repeats of every context's sessions."""
    return {
        context: draw_sessions(result.problem, seeds, context=context, length=result.length)
        for context, seeds in result.seeds.items()
    }


def _judge(result: Comparison) -> None:
    by_chance = {context: random_rewards(result.problem, *drawn) for context, drawn in _drawn(result).items()}
    result.metrics = judge(result.problem, result.logs, by_chance, result.seed)
    for name in result.agents:
        result.verdicts[name] = verdict(result.metrics[name][POOLED], result.references.best_fixed)


def _by_context(logs: Sequence[tuple[Job, SessionLog]], contexts: Sequence[str]) -> dict[str, SessionLog]:
    parts: dict[str, list[SessionLog]] = {context: [] for context in contexts}
    for job, log in logs:
        names = np.array(job.block.contexts)
        for context in dict.fromkeys(job.block.contexts):
            parts[context].append(log.rows(np.flatnonzero(names == context)))
    return {context: SessionLog.concatenate(of_context) for context, of_context in parts.items()}


class _Counter:
    """Adds up what each contestant has routed, for the progress display."""

    def __init__(self, jobs: Sequence[Job], on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._done: dict[str, int] = {}
        self._total: dict[str, int] = {}
        for job in jobs:
            self._total[job.contestant.name] = self._total.get(job.contestant.name, 0) + job.n_queries

    def __call__(self, name: str, n_queries: int) -> None:
        self._done[name] = self._done.get(name, 0) + n_queries
        self._on_progress(name, self._done[name], self._total[name])


def _session_seeds(seed: int, context: str, n_sessions: int) -> list[int]:
    # Hashed, so that neighbouring seeds share no session and a context's sessions do not depend on the others.
    source = np.random.SeedSequence([seed, zlib.crc32(context.encode())])
    return [int(value) for value in source.generate_state(n_sessions)]
