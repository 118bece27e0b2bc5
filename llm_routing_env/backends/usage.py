"""How many tokens a server says that it read and wrote, in every shape that was seen."""

from collections.abc import Mapping
from typing import Any

_MOST_TOKENS = 2**53


def read_usage(usage: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Return prompt and completion tokens; None where one of them is not told.

    ======================================================  ================================================
    ``prompt_tokens``, ``completion_tokens``                OpenAI's chat completions, vLLM
    ``input_tokens``, ``output_tokens``                     OpenAI's responses, Anthropic
    ``total_tokens`` above their sum                        reasoning counted apart: it is billed as output
    ``total_tokens`` and one of the two                     the other one is the rest
    ======================================================  ================================================

    Raises:
        ValueError: A count is no number of tokens.
    """
    usage = usage or {}
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    completion = _count(usage, "completion_tokens", "output_tokens")
    total = _count(usage, "total_tokens")
    if total is not None:
        if prompt is None and completion is not None:
            prompt = max(total - completion, 0)
        if prompt is not None:
            completion = max(completion or 0, total - prompt)
    return None if prompt is None or completion is None else (prompt, completion)


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        if usage.get(name) is not None:
            count = int(usage[name])
            if not 0 <= count < _MOST_TOKENS:
                raise ValueError(f"{count} tokens")
            return count
    return None
