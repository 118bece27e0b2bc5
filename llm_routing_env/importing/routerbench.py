"""Reads RouterBench's wide form (arXiv 2403.12031): one row per query, and per LLM `a`, `a|total_cost` and more.

Columns: sample_id, prompt, eval_name; for each LLM its score under its bare name, `<llm>|model_response` and
`<llm>|total_cost`. Prompts and responses are stored as the printed form of a Python list of turns; they are unwrapped.
"""

import ast
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.importing.columns import TEXT, Column
from llm_routing_env.importing.long_form import SCALE
from llm_routing_env.importing.rows import Rows
from llm_routing_env.importing.sources import Cells, Source

RESPONSE, COST = "|model_response", "|total_cost"
# Each role's flag and RouterBench's own name for it.
ROLES = {
    "query_id": ("--query-column", "sample_id"),
    "prompt": ("--prompt-column", "prompt"),
    "context": ("--context-column", "eval_name"),
}


def read_routerbench(
    source: Source,
    names: Mapping[str, str],
    *,
    context: str | None = None,
    score_scale: float = 1.0,
    excluded: Sequence[str] = (),
) -> Rows:
    """Read a wide-form file; the arguments are those of `read_long`.

    Raises:
        ValueError: One line naming file, row, column, what was expected and found, and the flag that helps.
    """
    columns, llms = _find_columns(source, names, context, excluded)
    rows = Rows(source.path, columns)
    for first_row, batch in source.batches(sorted({column.name for column in columns.values()})):
        length = len(batch[columns["query_id"].name])
        rows.file_rows.append(np.repeat(np.arange(first_row, first_row + length), len(llms)))
        rows.add_texts("llm", pa.array(llms * length, TEXT))
        for role in ROLES.keys() & columns.keys():
            texts = columns[role].texts(batch[columns[role].name], first_row, required=f"{columns[role].flag} helps")
            rows.add_texts(role, _unwrapped(texts) if role == "prompt" else texts, each=len(llms))
        _add_arms(rows, llms, batch, first_row, score_scale)
    return rows


def _add_arms(rows: Rows, llms: list[str], batch: Mapping[str, Cells], first_row: int, score_scale: float) -> None:
    """Append the columns that each LLM has of its own, LLMs varying fastest."""
    scores, costs, responses = [], [], []
    for llm in llms:
        score, cost, response = (rows.columns.get(f"{role} {llm}") for role in ("accuracy", "cost_usd", "response"))
        if score is not None:
            cells = batch[score.name]
            scores.append(score.numbers(cells, first_row, at_most=1.0, divide_by=score_scale, fix=SCALE))
        if cost is not None:
            costs.append(cost.numbers(batch[cost.name], first_row))
        if response is not None:
            responses.append(_unwrapped(response.texts(batch[response.name], first_row)))
    rows.add_numbers("accuracy", np.stack(scores, axis=1).ravel())
    if costs:
        rows.add_numbers("cost_usd", np.stack(costs, axis=1).ravel())
    if responses:
        by_llm = np.arange(len(scores[0]) * len(llms)).reshape(len(llms), -1)
        rows.responses.append(pa.concat_arrays(responses).take(pa.array(by_llm.T.ravel())))


def _find_columns(
    source: Source, names: Mapping[str, str], context: str | None, excluded: Sequence[str]
) -> tuple[dict[str, Column], list[str]]:
    found = source.columns()
    columns = {}
    for role, (flag, usual) in ROLES.items():
        if role == "context" and context is not None:
            continue
        name = names.get(role, usual)
        if name not in found:
            raise ValueError(f"{source.path}: {unknown_name('column', name, found, f'{flag} names it.')}")
        columns[role] = Column(source.path, name, flag)
    marked = dict.fromkeys(n.removesuffix(s) for s in (COST, RESPONSE) for n in found if n.endswith(s))
    for llm in excluded:
        if llm not in marked:
            raise unknown_name("LLM for --exclude-llm", llm, marked)
    llms = [llm for llm in marked if llm not in excluded]
    if not llms:
        raise ValueError(f"{source.path}: expected columns like '<llm>{COST}', found {found[:8]}.")
    for role, suffix in (("accuracy", ""), ("cost_usd", COST), ("response", RESPONSE)):
        if suffix == "" or any(name.endswith(suffix) for name in found):
            columns |= {f"{role} {llm}": _arm_column(source, llm, llm + suffix, found) for llm in llms}
    return columns, llms


def _arm_column(source: Source, llm: str, name: str, found: list[str]) -> Column:
    fix = f"--exclude-llm {llm!r} leaves the LLM out"
    if name not in found:
        raise ValueError(f"{source.path}: expected a column {name!r} for LLM {llm!r}, found none; {fix}.")
    return Column(source.path, name, "--exclude-llm", fix)


def _unwrapped(texts: pa.Array) -> pa.Array:
    """Return each text that is the printed form of a list of texts, such as "['yes']", as its lines."""
    encoded = pc.dictionary_encode(texts)
    with warnings.catch_warnings():  # about escapes in somebody's prompts
        warnings.simplefilter("ignore")
        plain = [_unwrap(text) for text in encoded.dictionary.to_pylist()]
    return pa.array(plain, TEXT).take(encoded.indices)


def _unwrap(text: str) -> str:
    if not (text.startswith("[") and text.endswith("]")):
        return text
    try:
        turns = ast.literal_eval(text)
        if not isinstance(turns, list) or not all(isinstance(turn, str) for turn in turns):
            return text
        "".join(turns).encode()  # half an emoji, as an escape, is no text
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return "\n".join(turns)
