"""Inspect of the UK AI Security Institute: a log as JSON, one object with its samples.

The latency is the last call's own, without queueing and scoring. A sample that failed is a failed call.
"""

from llm_routing_env.importing.preset import Preset
from llm_routing_env.importing.scores import ScoreScale

PRESET = Preset(
    name="inspect",
    help="""Inspect: logs as JSON (`inspect log convert --to json`), a file or a folder of them.

    Where samples have several scorers: --accuracy-column 'samples.*.scores.NAME.value'.

    Example: pickllm import inspect logs/ inspect.parquet
    """,
    columns={
        "query_id": ("samples.*.id",),
        "repeat": ("samples.*.epoch",),
        "llm": ("eval.model",),
        "context": ("eval.task",),
        "prompt": ("samples.*.input",),
        "references": ("samples.*.target",),
        "response": ("samples.*.output.completion",),
        "accuracy": ("samples.*.scores.*.value",),
        "error": ("samples.*.error.message",),
        "cost_usd": ("samples.*.output.usage.total_cost",),
        "latency_s": ("samples.*.output.time",),
        "prompt_tokens": ("samples.*.output.usage.input_tokens",),
        "completion_tokens": ("samples.*.output.usage.output_tokens",),
    },
    scale=ScoreScale({"c": 1.0, "p": 0.5, "i": 0.0, "n": 0.0}),  # inspect_ai.scorer's own values
    has_ids_per_context=True,
)
