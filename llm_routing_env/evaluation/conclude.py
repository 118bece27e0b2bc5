"""What a comparison comes to, once everything has run: metrics, differences, verdicts, recovery."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from llm_routing_env.evaluation.contestants import Block, Lives, Result
from llm_routing_env.evaluation.failed_calls import calls_of
from llm_routing_env.evaluation.jobs import Job
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.life_curves import life_curve
from llm_routing_env.evaluation.lifelong import judged_sessions
from llm_routing_env.evaluation.policies import Policies, always, distinct, policies_log
from llm_routing_env.evaluation.recovery import Recoveries
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.evaluation.verdicts import no_verdict, verdict


def conclude(result: Comparison, setting: Setting, found: Mapping[str, Sequence[tuple[Job, Result]]]) -> None:
    """Fill in a comparison from what was run.

    Args:
        result: The comparison.
        setting: What everybody faced.
        found: What came of each contestant's jobs, by its name.
    """
    judge = result.judge
    recoveries = Recoveries(result.problem, result.drawn, result.seed)
    result.events = recoveries.events
    works = [job.work for results in found.values() for job, _ in results]
    has_past = any(isinstance(work, Lives) and work.past for work in works)
    before = setting.before().problem() if has_past else result.problem
    for name, results in found.items():
        trained = [policies for _, policies in results if isinstance(policies, np.ndarray)]
        lived = [(j.work, logs) for j, logs in results if isinstance(j.work, Lives) and isinstance(logs, list)]
        if lived:
            result.logs[name] = judged_sessions(lived)
            learns = result.contestants[name].learns
            judge.add_log(name, result.logs[name], learns=learns, lifetimes=result.n_lifetimes)
            result.life_curves[name] = life_curve(result.problem, before, result.references, lived)
        elif trained:
            policies = distinct(trained)
            judge.add_policies(name, policies)
            result.logs[name] = _drawn_logs(result, name, policies)
        else:
            result.logs[name] = _by_context(results, list(result.seeds))
            judge.add_log(name, result.logs[name], learns=result.contestants[name].learns)
    for name, actions in result.references.actions.items():
        result.logs[name] = _drawn_logs(result, name, always(actions, result.problem.table.n_llms))
    for name in [*found, *result.references.actions]:
        result.metrics[name], result.routing[name] = judge.judge(name), judge.routing(name)
        result.sources[name] = judge.sources(name)
        logs, drawn = result.logs[name], result.drawn
        result.calls[name] = {context: calls_of(result.problem, logs[context], drawn[context]) for context in drawn}
    for name in found:
        result.pairs[name] = {other: judge.difference(name, other) for other in found if other != name}
        if result.events and setting.live is not None:  # else it takes the same sessions without the events
            result.recovery[name] = recoveries.of(result.logs[name], learns=name in judge.learners)
        fixed = (result.references.best_fixed, result.references.chosen_fixed)
        behind, are_lives = result.sessions_behind(name), result.are_lives(name)
        said = verdict(result.metrics[name][POOLED], *fixed, behind, are_lives=are_lives)
        if result.down_llms:
            said = no_verdict(result.down_llms)
        maximises = result.contestants[name].maximises
        result.verdicts[name] = said if maximises == "reward" else f"maximises {maximises}, not the reward; {said}"


def note_recovery(result: Comparison, quiet: Comparison) -> None:
    """Say who is hurt by the events, beside the same sessions without them; of whoever fails there it is not known."""
    recoveries = Recoveries(result.problem, result.drawn, result.seed, quiet.drawn)
    for name in result.agents:
        learns = name in result.judge.learners
        found = recoveries.of(result.logs[name], quiet.logs.get(name), learns=learns)
        result.recovery[name] = found if name in quiet.agents else replace(found, effects=[None] * len(found.effects))


def _drawn_logs(result: Comparison, name: str, policies: Policies) -> dict[str, SessionLog]:
    """Return what frozen policies do in everybody's sessions, for figures and logs of steps."""
    logs = {}
    for context, drawn in result.drawn.items():
        rng = np.random.default_rng([result.seed, zlib.crc32(f"{name}/{context}".encode())])
        logs[context] = policies_log(result.problem, policies, drawn, rng)
    return logs


def _by_context(results: Sequence[tuple[Job, Result]], contexts: Sequence[str]) -> dict[str, SessionLog]:
    parts: dict[str, list[SessionLog]] = {context: [] for context in contexts}
    for job, log in results:
        if isinstance(job.work, Block) and isinstance(log, SessionLog):
            names = np.array(job.work.contexts)
            for context in dict.fromkeys(job.work.contexts):
                parts[context].append(log.rows(np.flatnonzero(names == context)))
    return {context: SessionLog.concatenate(of_context) for context, of_context in parts.items()}
