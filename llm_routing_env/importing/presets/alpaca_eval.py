"""AlpacaEval: `annotations.json`, how often an LLM's answer was preferred to a baseline's.

Its prices and times are the annotator's, not the LLM's, and are not read. Two annotators' preferences are not on one
scale: `--where annotator=NAME` reads those of one.
"""

from llm_routing_env.importing.preset import Preset
from llm_routing_env.importing.scores import ScoreScale

PRESET = Preset(
    name="alpaca-eval",
    help="""AlpacaEval: annotations.json of several LLMs against the same baseline, by the same annotator.

    Example: pickllm import alpaca-eval results/*/weighted_alpaca_eval_gpt4_turbo alpaca.parquet
    """,
    columns={
        "query_id": ("instruction",),
        "llm": ("generator_2",),
        "prompt": ("instruction",),
        "context": ("dataset",),
        "response": ("output_2",),
        "accuracy": ("preference",),
    },
    patterns=("annotations.json*",),
    same=("annotator", "generator_1"),
    scale=ScoreScale({}, 1.0, 2.0),  # 1: the baseline's answer is preferred; 2: this LLM's
)
