"""Everything that happened, step by step: as a log of bandit feedback, and for TensorBoard."""

from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.evaluation.contestants import describe
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.sessions import MEASURES, TOKENS, Ints, SessionLog
from llm_routing_env.logs.columns import TERM
from llm_routing_env.logs.facts import asked_columns, problem_facts
from llm_routing_env.logs.file import written_log

_BATCH_ROWS = 2**17
REGRET = MEASURES[3]


def write_steps(result: Comparison, path: Path) -> None:
    """Write one row per query that an agent routed, as a log, see docs/logs.md; "regret" is a further column.

    A session's number counts over the contexts in their order, and is the same session whichever agent routes it.
    Propensities are null where they were not logged, or the agent does not tell.
    """
    if not result.agents:
        return
    problem = result.problem
    facts = problem_facts(
        problem,
        env="PickLLMLive-v0" if problem.is_live else "PickLLM-v0",
        seed=result.seed,
        agents={name: describe(result.contestants[name]) for name in result.agents},
    )
    terms = list(problem.reward.weight_by_term)
    with written_log(path, facts, terms, [REGRET]) as write:
        for name in result.agents:
            first = 0
            for context, log in result.logs[name].items():
                n_steps = log.actions.shape[1]
                size = max(_BATCH_ROWS // n_steps, 1)
                for start in range(0, len(log.actions), size):
                    part = np.arange(start, min(start + size, len(log.actions)))
                    write(_columns(result, name, context, log.rows(part), part, first))
                first += len(log.actions)


def write_tensorboard(result: Comparison, folder: Path) -> None:
    """Write each agent's mean reward, regret, cost and latency at every step of a session, a run per agent and context.

    Raises:
        ImportError: If tensorboardX is not installed.
    """
    require_tensorboard()
    from tensorboardX import SummaryWriter

    for name in result.agents:
        for context, log in result.logs[name].items():
            with SummaryWriter(str(folder / _folder_name(name) / _folder_name(context))) as writer:
                means = {"reward": log.rewards.mean(axis=0)}
                means |= {measure: log.measures[measure].mean(axis=0) for measure in MEASURES}
                means["cumulative_regret"] = means["regret"].cumsum()
                for measure, curve in means.items():
                    for step, value in enumerate(curve.tolist(), start=1):
                        writer.add_scalar(f"session/{measure}", value, step)


def require_tensorboard() -> None:
    """Raise ImportError if tensorboardX is not installed: before a comparison is run whose logs it is to write."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise ImportError('TensorBoard logs need tensorboardX: pip install "llm-routing-env[tensorboard]".') from error


def _folder_name(text: str) -> str:
    """Return a name as that of a folder: without slashes, and never "..", which would lead out."""
    return text.replace("/", "_").strip(".") or "_"


def _columns(
    result: Comparison, name: str, context: str, log: SessionLog, sessions: Ints, first: int
) -> dict[str, Any]:
    """Return the rows of some sessions of a context, whose own first one has the number `first`."""
    problem, drawn = result.problem, result.drawn[context]
    rows, repeats = drawn.rows[sessions], drawn.repeats[sessions]
    cells = (rows, log.actions, repeats)
    measures = {measure: values[cells].ravel() for measure, values in problem.cells.measures.items()}
    outcome = {measure: log.measures[measure].ravel() for measure in MEASURES}
    rewards = log.rewards
    if problem.cells.told is not None:  # a log has what the agent was told, as its own would
        outcome["accuracy"], rewards = problem.cells.told[cells].ravel(), problem.told_rewards[cells]
    numbers = (outcome["accuracy"], outcome["cost_usd"], outcome["latency_s"])
    if log.tokens is not None:
        tokens = log.tokens
    elif problem.is_live:  # a block that an earlier version kept
        tokens = np.full((*rows.shape, len(TOKENS)), np.nan)
    else:
        tokens = np.stack([getattr(problem.cells, each)[cells] for each in TOKENS], axis=2)
    failed = problem.cells.failed[cells] if log.failed is None else log.failed
    n_sessions, n_steps = rows.shape
    return {
        **asked_columns(problem, rows.ravel()),
        "agent": (np.zeros(rows.size, dtype=np.int64), [name]),
        "session": np.repeat(first + sessions, n_steps),
        "step": np.tile(np.arange(n_steps), n_sessions),
        "action": log.actions.ravel(),
        "llm": (log.actions.ravel(), list(problem.task.llm_names)),
        "propensity": None if log.propensities is None else log.propensities.ravel(),
        "reward": rewards.ravel(),
        "failed": failed.ravel(),
        **{each: tokens[..., place].ravel() for place, each in enumerate(TOKENS)},
        **{f"{TERM}{term}": values for term, values in problem.reward.terms(*numbers, measures).items()},
        **outcome,
    }
