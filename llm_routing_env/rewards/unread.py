"""Responses whose final answer could not be read."""

import numpy as np

from llm_routing_env.rewards.answers import not_parsed
from llm_routing_env.tables.table import OutcomeTable


def not_read(table: OutcomeTable, scorer: str) -> str:
    """Return the line that says whose final answers could not be read, and scored 0; "" for another scorer, or none."""
    if scorer != "final_answer":
        return ""
    responses, shares = table.texts("response"), {}
    each = sorted({text or "" for text in responses.ravel()})  # repeats mostly say the same again
    is_lost = dict(zip(each, not_parsed(each), strict=True))
    for number, llm in enumerate(table.llm_names):
        answered = responses[:, number][table.present[:, number, None] & ~table.failed[:, number]]
        shares[llm] = float(np.mean([is_lost[text or ""] for text in answered])) if len(answered) else 0.0
    listed = ", ".join(f"{llm} {share:.1%}" for llm, share in shares.items() if share > 0)
    return f"No final answer could be read in some responses, which score 0: {listed}." if listed else ""
