"""OpenAI's Batch API: the output and error files of batches, each in a folder with its requests as input.jsonl.

Batches record no score and no latency: `--score-with` scores the answers against references of another file. Where a
request asked for several choices, the first is read, with the tokens of all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_routing_env.importing.joins import Join
from llm_routing_env.importing.preset import Preset


def _in_order(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a line of an output file with its choices in the order of their index."""
    body = (line.get("response") or {}).get("body") or {}
    if isinstance(body.get("choices"), list):
        body["choices"] = sorted(body["choices"], key=lambda choice: choice.get("index", 0))
    return line


PRESET = Preset(
    name="openai-batch",
    help="""OpenAI batches: a folder each, with the output and error file and the requests as input.jsonl.

    Example: pickllm import openai-batch batches/ batch.parquet --score-with final_answer
    --join known=queries.jsonl:custom_id=query_id --reference-column known.references --context-column known.context
    """,
    columns={
        "query_id": ("custom_id",),
        "llm": ("asked.body.model or response.body.model",),
        "prompt": ("asked.body.messages",),
        "response": ("response.body.choices.0.message.content",),
        "error": ("response.body.error.message or error.message",),
        "success": ("response.status_code",),
        "finish_reason": ("response.body.choices.0.finish_reason",),
        "prompt_tokens": ("response.body.usage.prompt_tokens",),
        "completion_tokens": ("response.body.usage.completion_tokens",),
        "cached_tokens": ("response.body.usage.prompt_tokens_details.cached_tokens",),
        "reasoning_tokens": ("response.body.usage.completion_tokens_details.reasoning_tokens",),
    },
    patterns=("*output*.jsonl*", "*error*.jsonl*"),
    shape=_in_order,
    joins=(Join("asked", Path("beside/input.jsonl"), {"custom_id": "custom_id"}),),
)
