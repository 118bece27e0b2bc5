"""The long form: one row per query and LLM (and repeat), in columns called as in our own tables."""

from llm_routing_env.importing.preset import FLAGS, Preset

_ALSO = {"llm": ("model",), "accuracy": ("score",), "references": ("reference",)}

PRESET = Preset(
    name="long",
    help="""One row per query and LLM. Columns called as in our own tables (query_id, llm, ...) need no flag.

    Example: pickllm import long runs.csv mine.parquet --accuracy-column judge --latency-column ms --latency-unit ms
    """,
    # A split is taken only when it is named: other people's "train" is what LLMs were trained on.
    columns={role: () if role == "split" else (role, *_ALSO.get(role, ())) for role in FLAGS},
)
