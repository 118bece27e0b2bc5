"""EleutherAI's lm-evaluation-harness, run with --log_samples: `<model>/samples_<task>_<date>.jsonl`.

A row is a document under one filter; prices, latencies and tokens are not logged. Of a multiple choice the log holds
likelihoods and no answer.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from llm_routing_env.importing.preset import Preset

_NAME = re.compile(r"samples_(?P<task>.+)_[^_]+$")
_LIKELIHOOD = re.compile(r"-?[\d.e+-]+\n(True|False)")


def _about(path: Path) -> Mapping[str, str]:
    """Return the task of a file's name, and the LLM of its folder."""
    found = _NAME.match(path.name.partition(".json")[0])
    task = {"context": found["task"]} if found else {}
    return task | {"llm": _llm(path.absolute().parent)}


def _llm(folder: Path) -> str:
    """Return what the folder's latest results say, else its name, of which `/` became `__`."""
    for results in sorted(folder.glob("results_*.json"), reverse=True):
        with suppress(ValueError, OSError):
            said = json.loads(results.read_text(encoding="utf-8"))
            if isinstance(said, dict) and isinstance(said.get("model_name"), str):
                return str(said["model_name"])
    return folder.name.replace("__", "/")


PRESET = Preset(
    name="lm-eval",
    help="""lm-evaluation-harness: the folder of a run with --log_samples, or its samples_*.jsonl.

    A task with several filters has rows of each: --where filter=strict-match reads one.

    Example: pickllm import lm-eval results/ lm.parquet --where filter=none --accuracy-column acc
    """,
    columns={
        "query_id": ("doc_id",),
        "prompt": ("doc.question", "doc.query", "doc.problem", "doc.input", "doc.prompt", "doc.text"),
        "references": ("target",),
        "response": ("resps.0.0",),
        "accuracy": ("exact_match", "acc", "em", "f1", "pass@1"),
    },
    patterns=("samples_*",),
    about=_about,
    has_ids_per_context=True,
    clean=lambda text: "" if _LIKELIHOOD.fullmatch(text) else text,
)
