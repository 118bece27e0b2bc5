"""Other people's logs: files of one row per routed query, whose other LLMs' outcomes nobody knows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.importing import Reading, Rows, Source, read_rows
from llm_routing_env.importing.columns import Column
from llm_routing_env.importing.numbers import read_numbers
from llm_routing_env.importing.preset import Preset
from llm_routing_env.importing.rows import ABSENT
from llm_routing_env.logs.facts import reward_facts
from llm_routing_env.logs.file import sorted_codes
from llm_routing_env.logs.log import Log
from llm_routing_env.rewards.base import Reward
from llm_routing_env.rewards.forms import make_reward_of
from llm_routing_env.tables.parts import files_sha256

Floats = NDArray[np.float64]
# As the long form of tables, but for what a log does not keep: prompts, references and responses.
_ALSO = {"llm": ("model",), "accuracy": ("score",)}
_ROLES = ("query_id", "llm", "accuracy", "context", "error", "cost_usd", "latency_s", "prompt_tokens")
PRESET = Preset(
    name="log",
    help="",
    columns={role: (role, *_ALSO.get(role, ())) for role in (*_ROLES, "completion_tokens")},
)


def import_log(
    source: Source,
    reading: Reading,
    *,
    propensity: float | str | None,
    agent: str,
    form: str,
    weights: Sequence[float],
) -> Log:
    """Return files as a log of one session, whose reward is that of a form.

    Args:
        source: The files.
        reading: How their cells are understood.
        propensity: That of every row, or the column's name; None: not known.
        agent: Who chose.
        form: The reward's form, see `rewards.forms`.
        weights: Of accuracy, cost and latency.

    Raises:
        ValueError: One line naming file, row, column, what was expected and found.
    """
    rows = read_rows(source, PRESET, reading)
    n_rows = rows.n_rows
    accuracy, cost_usd, latency_s = (_number(rows, role) for role in ("accuracy", "cost_usd", "latency_s"))
    failed = rows.texts["error"].codes != ABSENT if "error" in rows.texts else np.zeros(n_rows, dtype=bool)
    scale = _dearest(cost_usd, rows.texts["llm"].codes)
    reward = make_reward_of(form, weights, cost_scale_usd=scale, cost_usd=cost_usd, latency_s=latency_s)
    terms = reward.terms(accuracy, cost_usd, latency_s)
    nothing = np.zeros(n_rows, dtype=np.int64)
    contexts, context = sorted_codes(rows.texts["context"].texts, rows.texts["context"].codes)
    return Log(
        metadata=_facts(source, reward, rows),
        llm_names=tuple(rows.texts["llm"].texts),
        agents=(agent,),
        agent=nothing,
        contexts=contexts,
        context=context,
        query_ids=tuple(rows.texts["query_id"].texts),
        query=rows.texts["query_id"].codes.astype(np.int64),
        session=nothing,
        step=np.arange(n_rows),
        action=rows.texts["llm"].codes.astype(np.int64),
        propensity=_propensities(source, propensity, n_rows),
        reward=np.where(failed, reward.bounds[0], reward.combine(terms)),
        accuracy=accuracy,
        cost_usd=cost_usd,
        latency_s=latency_s,
        prompt_tokens=_number(rows, "prompt_tokens"),
        completion_tokens=_number(rows, "completion_tokens"),
        failed=failed,
        phase=nothing,
        terms={name: np.asarray(values, dtype=np.float64) for name, values in terms.items()},
    )


def _number(rows: Rows, role: str) -> Floats:
    found = rows.array(role)
    return np.full(rows.n_rows, np.nan) if found is None else found.copy()


def _dearest(cost_usd: Floats, llms: NDArray[np.int32]) -> float:
    """Return the mean cost of the dearest LLM, of the rows whose cost is known; 1 where all are free or none is."""
    known = ~np.isnan(cost_usd)
    sums, counts = np.bincount(llms[known], cost_usd[known]), np.bincount(llms[known])
    return float((sums[counts > 0] / counts[counts > 0]).max(initial=0.0)) or 1.0


def _propensities(source: Source, said: float | str | None, n_rows: int) -> Floats:
    if not isinstance(said, str):
        return np.full(n_rows, np.nan if said is None else said)
    found = []
    for batch in source.batches({"propensity": (said,)}, sure=["propensity"]):
        column = Column(batch.path, said, "--propensity-column", "")
        found.append(read_numbers(column, batch.cells["propensity"], batch.rows))
    return np.concatenate(found)


def _facts(source: Source, reward: Reward, rows: Rows) -> dict[str, Any]:
    files = [Path(file.path) for file in source.files]
    return {
        "env": None,
        "table": None,
        "backend": "imported",
        "pool": None,
        "source": [{"file": path.name, "sha256": files_sha256([path])} for path in files],
        "llms": rows.texts["llm"].texts,
        "reward": reward_facts(reward),
        "scorer": "recorded",
        "observation": None,
        "scenario": None,
        "context": None,
        "split": None,
    }
