"""Everything that happened, step by step: as a parquet file, and for TensorBoard."""

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.sessions import MEASURES, SessionLog


def write_steps(result: Comparison, path: Path) -> None:
    """Write one row per query that an agent routed.

    Columns: agent, context, session, step, query_id, llm, reward, accuracy, cost_usd, latency_s, regret,
    propensity (the probability of the choice; null where it was not logged, or the agent does not tell).
    """
    parts = (_rows(result, name, *of_context) for name in result.agents for of_context in result.logs[name].items())
    first = next(parts, None)
    if first is None:
        return
    with replacing(path) as new, pq.ParquetWriter(new, first.schema, compression="zstd") as writer:
        for rows in chain([first], parts):
            writer.write_table(rows)


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


def _rows(result: Comparison, name: str, context: str, log: SessionLog) -> pa.Table:
    n_sessions, n_steps = log.actions.shape
    table = result.problem.table
    queries = result.drawn[context].queries.ravel()
    ids = np.array([query.query_id for query in table.queries], dtype=object)
    columns: dict[str, Any] = {
        "agent": _repeated(name, queries.size),
        "context": _repeated(context, queries.size),
        "session": np.repeat(np.arange(n_sessions), n_steps),
        "step": np.tile(np.arange(n_steps), n_sessions),
        "query_id": ids[queries],
        "llm": np.array(result.problem.task.llm_names, dtype=object)[log.actions.ravel()],
        "reward": log.rewards.ravel(),
        **{measure: log.measures[measure].ravel() for measure in MEASURES},
    }
    unknown = np.full(queries.size, np.nan)
    chances = unknown if log.propensities is None else log.propensities.ravel()
    columns["propensity"] = pa.array(chances, pa.float64(), from_pandas=True)  # NaN is null
    return pa.table(columns)


def _repeated(text: str, times: int) -> pa.Array:
    return pa.repeat(pa.scalar(text), times)
