"""Whether a table says of its own responses what it says: scores, costs, cut answers, failures, doubled prompts."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_routing_env.rewards.rescored import TEXTS, Differences, Rescored, answered
from llm_routing_env.tables import arrow
from llm_routing_env.tables.batches import written_batches
from llm_routing_env.tables.table import SCHEMA_VERSION, OutcomeTable

Document = dict[str, Any]
Floats = NDArray[np.float64]
LABELS = ("query_id", "llm", "repeat")
CACHED = "cached_tokens"
_PRICES = ("input_price_usd_per_mtok", "output_price_usd_per_mtok", "hardware_usd_per_hour")
_CACHED_PRICE = "cached_price_usd_per_mtok"


def verify_table(
    table: OutcomeTable,
    *,
    out: str | Path | None = None,
    on_progress: Callable[[int, int], object] = lambda done, total: None,
) -> Document:
    """Return everything `pickllm verify` shows, as JSON-plain values; no LLM is asked.

    Args:
        table: Is read in batches, so that it may be larger than the memory.
        out: Where to write the table with the scores as they were computed; None: nowhere.
        on_progress: Called after each batch with rows done and in total.

    Raises:
        ValueError: `out` exists, or no score could be computed for it.
    """
    _check_out(out)
    scores = [Rescored(table, name) for name in table.scorers]
    if out is not None and all(score.reason for score in scores):
        reasons = ", ".join(f"{score.name} ({score.reason})" for score in scores)
        raise ValueError(f"No score can be computed here, so there is nothing to write: {reasons}.")
    costs = Costs(table)
    needed = dict.fromkeys((*LABELS, *TEXTS, *(score.column for score in scores), *costs.columns))
    columns = list(needed) if out is None else list(table.columns)
    n_rows, total = 0, int(table.present.sum()) * table.n_repeats
    with nullcontext() if out is None else written_batches(out, _document(table, scores)) as write:
        for rows in table.batches(columns):
            pairs = answered(rows)
            computed = {score.column: score.add(rows, pairs) for score in scores}
            costs.add(rows)
            if write is not None:
                write(_replaced(rows, computed))
            n_rows += len(rows)
            on_progress(n_rows, total)
    return _found(table, scores, costs, n_rows)


class Costs:
    """Recorded costs against tokens, or time, at the recorded prices.

    Attributes:
        columns: What has to be read of each row.
        reason: Why they cannot be computed; "" where they can.
        differences: What was found.
    """

    def __init__(self, table: OutcomeTable) -> None:
        """Read the prices."""
        self._prices, self.differences = _prices(table.metadata), Differences()
        wanted = ("cost_usd", "latency_s", "prompt_tokens", "completion_tokens", CACHED)
        self.columns = tuple(name for name in wanted if name in table.columns)
        self.reason = "" if self._prices else "the table records no prices"

    def add(self, rows: pa.Table) -> None:
        """Compare a batch; failed calls have costs of their own."""
        if self.reason:
            return
        numbers = {name: arrow.numbers(rows[name]) for name in self.columns}
        computed = np.full(len(rows), np.nan)
        codes, names = arrow.codes(rows["llm"])
        for code, name in enumerate(names):
            if name in self._prices:
                of_llm = codes == code
                computed[of_llm] = _cost_usd(self._prices[name], {key: n[of_llm] for key, n in numbers.items()})
        computed[~arrow.is_null(rows["error"])] = np.nan
        recorded = numbers["cost_usd"]
        self.differences.add(rows, recorded, computed, ~np.isclose(recorded, computed, rtol=1e-6, atol=1e-12))


def _cost_usd(prices: Mapping[str, float], numbers: Mapping[str, Floats]) -> Floats | float:
    """Return what calls of one LLM cost, NaN where the table cannot tell."""
    if prices["hardware_usd_per_hour"] > 0:
        return np.asarray(prices["hardware_usd_per_hour"] * numbers["latency_s"] / 3600)
    if not {"prompt_tokens", "completion_tokens"} <= numbers.keys():
        return np.nan
    asked, answered_with = numbers["prompt_tokens"], numbers["completion_tokens"]
    usd = asked * prices["input_price_usd_per_mtok"] + answered_with * prices["output_price_usd_per_mtok"]
    if _CACHED_PRICE in prices and CACHED in numbers:
        usd += np.nan_to_num(numbers[CACHED]) * (prices[_CACHED_PRICE] - prices["input_price_usd_per_mtok"])
    return np.asarray(usd / 1e6)


def _prices(metadata: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the prices of each LLM that has all of them: those recorded, else those of the pool as it was."""
    found = metadata.get("prices")
    described = _described_llms(metadata)
    given = found if isinstance(found, dict) else described
    prices = {}
    for name, said in given.items():
        if not isinstance(said, dict) or not all(_is_price(said.get(key)) for key in _PRICES):
            continue
        prices[name] = {key: float(said[key]) for key in _PRICES}
        cached = said.get(_CACHED_PRICE, described.get(name, {}).get(_CACHED_PRICE))
        if cached is not None and _is_price(cached):
            prices[name][_CACHED_PRICE] = float(cached)
    return prices


def _described_llms(metadata: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what the table's pool says of each LLM, as far as it is of the form that a recording writes."""
    llms = metadata.get("pool", {}).get("llm")
    plain = [llm for llm in llms if isinstance(llm, dict)] if isinstance(llms, list) else []
    return {llm["name"]: llm for llm in plain if isinstance(llm.get("name"), str)}


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < 1e300


def _cut(table: OutcomeTable) -> Document:
    """Return how many answers of each LLM were cut at `max_tokens`, and what tells; None where nothing does."""
    if table.cut is not None:
        counts = table.cut.sum(axis=(0, 2)).tolist()
        return {"told_by": "finish_reason", "answers": dict(zip(table.llm_names, counts, strict=True))}
    described, tokens, found = _described_llms(table.metadata), table.integers("completion_tokens"), {}
    for llm, name in enumerate(table.llm_names):
        most = described.get(name, {}).get("max_tokens")
        if isinstance(most, int) and most > 0:
            found[name] = int((tokens[:, llm] >= most).sum())
    return {"told_by": "max_tokens of the pool" if found else None, "answers": found}


def _check_out(out: str | Path | None) -> None:
    """Check that a file may be written, before models of scorers are loaded."""
    if out is not None and Path(out).exists():
        raise ValueError(f"{out} exists: move it away, or write another file.")
    if out is not None and not (folder := Path(out).absolute().parent).is_dir():
        raise ValueError(f"{out}: there is no folder {folder}.")


def _document(table: OutcomeTable, scores: list[Rescored]) -> Document:
    computed = [score.name for score in scores if not score.reason]
    rescored = {"table": table.name, "sha256": table.sha256, "scorers": computed}
    return {"schema_version": SCHEMA_VERSION, "llms": list(table.llm_names), **table.metadata, "rescored": rescored}


def _replaced(rows: pa.Table, computed: Mapping[str, Floats]) -> pa.Table:
    for name, values in computed.items():
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
    return rows


def _found(table: OutcomeTable, scores: list[Rescored], costs: Costs, n_rows: int) -> Document:
    failed = table.failed.sum(axis=(0, 2)).tolist()
    differences = [costs.differences, *(score.differences for score in scores)]
    return {
        "table": table.name,
        "sha256": table.sha256,
        "rows": n_rows,
        "scorers": {score.name: _compared(score) for score in scores},
        "costs": _compared(costs),
        "cut": _cut(table),
        "failed_calls": dict(zip(table.llm_names, failed, strict=True)),
        "prompts_in_both_splits": table.queries.n_prompts_in_both_splits,
        "notes": list(table.notes),
        "n_checked": sum(each.n_checked for each in differences),
        "n_differing": sum(each.n_differing for each in differences),
    }


def _compared(check: Rescored | Costs) -> Document:
    return {"not_computed": check.reason or None, **vars(check.differences)}
