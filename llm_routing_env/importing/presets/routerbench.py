"""RouterBench (arXiv 2403.12031): one row per query, and per LLM `a`, `a|total_cost` and `a|model_response`.

Prompts and responses are stored as the printed form of a Python list of turns; they are unwrapped.
"""

import ast
import warnings

from llm_routing_env.importing.preset import Preset


def unwrapped(text: str) -> str:
    """Return a text that is the printed form of a list of texts, such as "['yes']", as its lines."""
    if not (text.startswith("[") and text.endswith("]")):
        return text
    try:
        with warnings.catch_warnings():  # about escapes in somebody's prompts
            warnings.simplefilter("ignore")
            turns = ast.literal_eval(text)
        if not isinstance(turns, list) or not all(isinstance(turn, str) for turn in turns):
            return text
        "".join(turns).encode()  # half an emoji, as an escape, is no text
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return "\n".join(turns)


PRESET = Preset(
    name="routerbench",
    help="""RouterBench: one row per query, and columns `<llm>`, `<llm>|total_cost`, `<llm>|model_response` per LLM.

    Example: pickllm import routerbench routerbench_0shot.csv routerbench.parquet
    """,
    columns={
        "query_id": ("sample_id",),
        "prompt": ("prompt",),
        "context": ("eval_name",),
        "accuracy": ("{llm}",),
        "cost_usd": ("{llm}|total_cost",),
        "response": ("{llm}|model_response",),
    },
    clean=unwrapped,
)
