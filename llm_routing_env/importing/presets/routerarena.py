"""RouterArena: `cached_results/<llm>.jsonl`, one LLM's graded answers each. Latencies are not recorded.

A query that was asked again after a failure has two rows: `--keep last` takes the later one.
"""

from llm_routing_env.importing.preset import Preset

PRESET = Preset(
    name="routerarena",
    help="""RouterArena: the folder cached_results, a file per LLM.

    Example: pickllm import routerarena cached_results/ arena.parquet --keep last
    """,
    columns={
        "query_id": ("global_index",),
        "llm": ("llm_selected",),
        "prompt": ("question",),
        "references": ("evaluation_result.ground_truth",),
        "response": ("generated_answer",),
        "accuracy": ("evaluation_result.score",),
        "cost_usd": ("evaluation_result.inference_cost",),
        "prompt_tokens": ("token_usage.input_tokens",),
        "completion_tokens": ("token_usage.output_tokens",),
        "error": ("error",),
        "success": ("success",),
    },
    context_of_id=lambda text: text.rpartition("_")[0] or text,
)
