"""How many tokens a server says that it read and wrote, in every shape that was seen."""

from collections.abc import Mapping
from typing import Any, NamedTuple

_MOST_TOKENS = 2**53


class Usage(NamedTuple):
    """What is billed.

    Attributes:
        prompt_tokens: Tokens read, cached ones included.
        completion_tokens: Tokens written, thoughts included.
        cached_tokens: Those of the prompt that came from the endpoint's cache.
        reasoning_tokens: Those of the completion that were thoughts.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


def read_usage(usage: Mapping[str, Any] | None) -> Usage | None:
    """Return what was read and written; None where prompt or completion is not told.

    ==================================================================  ==========================================
    ``prompt_tokens``, ``completion_tokens``                            OpenAI's chat completions, vLLM
    ``input_tokens``, ``output_tokens``                                 OpenAI's responses, Anthropic
    ``total_tokens`` above their sum                                    reasoning counted apart: billed as output
    ``total_tokens`` and one of the two                                 the other one is the rest
    ``prompt_tokens_details.cached_tokens``, ``input_tokens_details``   OpenAI, vLLM
    ``prompt_cache_hit_tokens``                                         DeepSeek
    ``cache_read_input_tokens``, ``cache_creation_input_tokens``        Anthropic: beside ``input_tokens``
    ``completion_tokens_details.reasoning_tokens``, ``output_...``      OpenAI
    ==================================================================  ==========================================

    Raises:
        ValueError: A count is no number of tokens.
    """
    usage = usage or {}
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    completion = _count(usage, "completion_tokens", "output_tokens")
    total = _count(usage, "total_tokens")
    cached = _detail(usage, ("prompt_tokens_details", "input_tokens_details"), "cached_tokens")
    cached = _count(usage, "prompt_cache_hit_tokens") or cached
    reasoning = _detail(usage, ("completion_tokens_details", "output_tokens_details"), "reasoning_tokens")
    if prompt is not None and "prompt_tokens" not in usage:  # Anthropic's input has no part in the cache
        read = _count(usage, "cache_read_input_tokens") or 0
        prompt, cached = prompt + read + (_count(usage, "cache_creation_input_tokens") or 0), cached or read
    if total is not None:
        if prompt is None and completion is not None:
            prompt = max(total - completion, 0)
        if prompt is not None:
            completion = max(completion or 0, total - prompt)
    if prompt is None or completion is None:
        return None
    return Usage(prompt, completion, min(cached, prompt), min(reasoning, completion))


def _detail(usage: Mapping[str, Any], names: tuple[str, ...], count: str) -> int:
    found: Mapping[str, Any] = next((usage[name] for name in names if isinstance(usage.get(name), Mapping)), {})
    try:
        return _count(found, count) or 0
    except (TypeError, ValueError):  # what is no more than a detail spoils no answer
        return 0


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        if usage.get(name) is not None:
            count = int(usage[name])
            if not 0 <= count < _MOST_TOKENS:
                raise ValueError(f"{count} tokens")
            return count
    return None
