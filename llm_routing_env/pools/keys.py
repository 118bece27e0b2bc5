"""Keys do not belong among vLLM's flags: the process list shows those to everybody on the machine."""

import re
from collections.abc import Mapping
from typing import Any

_NOT_LETTERS = re.compile(r"[^a-z]")


def key_fault(serve: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a `serve` table that holds a key, in one line that does not quote it; else None.

    Any spelling counts: vLLM takes "api_key" for "api-key", and an unambiguous beginning of either.
    """
    for flag, value in serve.items():
        letters = _NOT_LETTERS.sub("", flag.lower())
        if letters.startswith("apik"):
            return (
                "serve may hold no api-key, which the process list would show: api_key_env names the variable with it"
            )
        if letters.startswith("hft") and not isinstance(value, bool):
            return "serve may hold no hf-token, which the process list would show: set HF_TOKEN in the environment"
    return None
