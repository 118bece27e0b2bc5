"""What `pickllm compare --out` writes."""

import csv
import json
import re
from pathlib import Path
from typing import Any

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.evaluation.intervals import published
from llm_routing_env.evaluation.result import Comparison


def write_files(
    result: Comparison, document: dict[str, Any], folder: Path, *, command: str, log_steps: bool, tensorboard: bool
) -> list[Path]:
    """Write a comparison into a folder and return the paths: the report, the results, the figures, the logs."""
    from llm_routing_env.evaluation.plots import write_figures
    from llm_routing_env.evaluation.step_logs import write_steps, write_tensorboard
    from llm_routing_env.report import write_report

    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "results.json", folder / "results.csv"]
    with replacing(written[0]) as new:
        new.write_text(json.dumps({"command": command, **document}, indent=2), encoding="utf-8")
    _write_csv(result, written[1])
    written += write_figures(result, folder)
    written.append(write_report(result, folder / "report.html", command=command))
    if log_steps:
        write_steps(result, folder / "steps.parquet")
        written.append(folder / "steps.parquet")
    if tensorboard:
        write_tensorboard(result, folder / "tensorboard")
        written.append(folder / "tensorboard")
    for name in result.agents:
        # Models of Stable-Baselines3 that were trained for this comparison, one per training seed.
        for number, model in getattr(result.contestants[name], "models", {}).items():
            plain = re.sub(r"[^\w.@()-]", "_", name)  # a name may hold what a path may not
            path = folder / "models" / f"{plain}_{number}.zip"
            path = path.with_stem(f"{path.stem}_{len(written)}") if path in written else path
            path.parent.mkdir(exist_ok=True)
            with replacing(path) as new, new.open("wb") as file:
                model.save(file)
            written.append(path)
    return written


def _write_csv(result: Comparison, path: Path) -> None:
    notes = " ".join([*result.problem.table.notes, *result.unread])
    with replacing(path) as new, new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["kind", "name", "protocol", "context", "metric", "mean", "low", "high", "interval_over", "table_notes"]
        )
        for name, contexts in result.metrics.items():
            contestant = result.contestants.get(name)
            kind, protocol = ("agent", contestant.protocol) if contestant else ("reference", "")
            sources = " and ".join(result.sources[name])
            for context, metrics in contexts.items():
                for metric, interval in metrics.items():
                    writer.writerow(
                        [kind, name, protocol, context, metric, *published(interval).values(), sources, notes]
                    )
                for llm, share in result.routing[name][context].items():
                    writer.writerow([kind, name, protocol, context, f"asked {llm}", share, "", "", "", notes])
                for llm, calls in result.calls_of(name, context).items():
                    writer.writerow([kind, name, protocol, context, f"failed {llm}", calls.n_failed, "", "", "", notes])
