"""Every benchmark that pages are made of, `make bench`: first what is timed, alone, then the rest two at a time.

    python benchmarks/everything.py [--data FOLDER --others cascades9,mmlu_pro]

Goes on where one fails, says how long each took, and ends with code 1 if one failed. Writes `results/durations.json`.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from results_file import FOLDER, write

HERE = Path(__file__).parent
TIMED = (
    *("throughput", "scenario_overhead", "peers", "startup", "memory"),
    *("live_overhead", "live_path", "lifelong_speed", "asks"),
)
OTHERS = (
    *("scenarios", "ope", "asks_agents", "convergence", "weights", "scorers"),
    *("compared", "without_labels", "headline", "onboarding", "recommit"),
)
OF_PATHS = ("convergence", "headline", "onboarding")
SHIPPED = ("nano", "everyday", "production3")
NO_LIFETIMES = ("everyday",)
OF_MANY_CONTEXTS = ("mmlu_pro", "llmrouter9")  # fewer sessions of each
OF_FEW_QUERIES = ("superhard17",)  # lifetimes only
AT_ONCE = 2
Job = Sequence[str]


def jobs(data: Path | None, others: Sequence[str]) -> list[Job]:
    """Return what may run beside something else, as a script's name and its arguments, the longest first."""
    places = dict.fromkeys(SHIPPED, ()) | ({table: ("--data", str(data)) for table in others} if data else {})
    found: list[Job] = []
    for table, place in places.items():
        few = ("--sessions", "20") if table in OF_MANY_CONTEXTS else ()
        if table not in OF_FEW_QUERIES:
            found.append(("baselines", "--table", table, *place, *few))
    found += [("lifelong", "--table", table, *place) for table, place in places.items() if table not in NO_LIFETIMES]
    found += [(name,) for name in OTHERS]
    if data is not None and "cascades9" in others:
        found += [(name, "--table", str(data / "cascades9.parquet")) for name in OF_PATHS]
    return found


def run(job: Job, threads: dict[str, str]) -> dict[str, Any]:
    """Run a script; return how long it took and whether it failed."""
    name, *arguments = job
    begun = time.perf_counter()
    code = subprocess.run([sys.executable, HERE / f"{name}.py", *arguments], env=os.environ | threads).returncode
    shown = " ".join([name, *(Path(argument).name for argument in arguments)])
    row = {"script": shown, "minutes": round((time.perf_counter() - begun) / 60, 2), "failed": code != 0}
    print(f"{shown}: {row['minutes']:.1f} minutes{', FAILED' if code else ''}", flush=True)
    return row


def main(
    data: Annotated[Path | None, typer.Option(help="Folder of the tables that have no name here.")] = None,
    others: Annotated[str, typer.Option(help="Which of them, separated by commas.")] = "cascades9,mmlu_pro",
) -> None:
    """Run them all."""
    begun = time.perf_counter()
    rows = [run((name,), {}) for name in TIMED]
    with ThreadPoolExecutor(AT_ONCE) as pool:  # BLAS on several threads would fight over the cores
        rows += pool.map(lambda job: run(job, {"OMP_NUM_THREADS": "1"}), jobs(data, others.split(",")))
    minutes = round((time.perf_counter() - begun) / 60, 1)
    write(FOLDER / "durations.json", {"at_once": AT_ONCE}, {"minutes": minutes, "scripts": rows})
    print(f"all: {minutes} minutes")
    if failed := [row["script"] for row in rows if row["failed"]]:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    typer.run(main)
