"""Stanford's HELM: the folders of a suite's runs, each with display_predictions.json and what lies beside it.

Perturbed copies of a query are left out. A call that was blocked, which only scenario_state.json says, has no latency
and counts as missing. Prices are not recorded.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_routing_env.importing.joins import Join
from llm_routing_env.importing.preset import Preset


def _about(path: Path) -> Mapping[str, str]:
    """Return the LLM and the scenario of a run: of run_spec.json, else of the folder's name."""
    spec, name, llm = path.parent / "run_spec.json", path.absolute().parent.name, ""
    if spec.exists():
        try:
            said = json.loads(spec.read_text(encoding="utf-8"))
            name, llm = str(said["name"]), str(said["adapter_spec"]["model"])
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError(f"{spec}: expected the name of a run and the LLM that it asked: {error!r}.") from error
    parts = [part for part in name.replace(":", ",").split(",") if part]
    named = next((part.removeprefix("model=") for part in parts if part.startswith("model=")), "")
    subject = [part.partition("=")[2] for part in parts if part.startswith("subject=")]
    return {"llm": llm or named or name, "context": " ".join([parts[0], *subject])}


def _instance(row: Mapping[str, Any]) -> Mapping[str, Any]:
    right = [each["output"]["text"] for each in row.get("references") or () if "correct" in each.get("tags", ())]
    return {**row, "right": right}


def _measured(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {each["name"]["name"]: each.get("mean") for each in row.get("stats") or ()}


def _columns(*names: str) -> tuple[str, ...]:
    """Return where statistics may stand: shown, or only measured."""
    return tuple(f"stats.{name} or measured.{name}" for name in names)


_KEYS = {"instance_id": "id", "perturbation": "perturbation"}
_MEASURED_KEYS = {name: name for name in ("instance_id", "perturbation", "train_trial_index")}

PRESET = Preset(
    name="helm",
    help="""HELM: the folder of a suite, whose runs have display_predictions.json, instances.json and so on.

    Example: pickllm import helm benchmark_output/runs/v1 helm.parquet
    """,
    columns={
        "query_id": ("instance_id",),
        "prompt": ("instance.input.text", "instance.input.messages"),
        "references": ("instance.right",),
        "response": ("predicted_text",),
        "accuracy": tuple(
            f"stats.{name}" for name in ("final_number_exact_match", "exact_match", "quasi_exact_match", "f1_score")
        ),
        "latency_s": _columns("inference_runtime"),
        "prompt_tokens": _columns("num_prompt_tokens"),
        "completion_tokens": (
            "stats.num_output_tokens or measured.num_output_tokens or measured.num_completion_tokens",
        ),
        "repeat": ("train_trial_index",),
    },
    patterns=("display_predictions.json*",),
    about=_about,
    joins=(
        Join("instance", Path("beside/instances.json"), _KEYS, _instance),
        Join("measured", Path("beside/per_instance_stats.json"), _MEASURED_KEYS, _measured, is_merged=True),
    ),
    where={"perturbation": ""},
    has_ids_per_context=True,
)
