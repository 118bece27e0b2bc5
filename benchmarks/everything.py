"""What pages are made of, `make bench`: first what is timed, alone, then the rest two at a time.

    python benchmarks/everything.py [--data FOLDER]

Goes on where one fails, says how long each took, and ends with code 1 if one failed. What comparisons had done before
is taken from `results/blocks`. Not among them: `examples.py` (`make examples`), `published/` (files of others), and
`defaults.py` and `peer_defaults.py`, which choose what everybody else goes by.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

HERE = Path(__file__).parent
TIMED = (
    *("throughput", "scenario_overhead", "peers", "startup", "memory"),
    *("live_overhead", "live_path", "lifelong_speed", "asks"),
)
OF_NANO = (
    *("scenarios", "ope", "asks_agents", "convergence", "weights", "scorers"),
    *("compared", "without_labels", "headline", "onboarding", "recommit"),
)
OF_CASCADES = ("convergence", "headline", "onboarding")
SHIPPED = ("nano", "everyday", "production3")
OTHERS = ("cascades9", "mmlu_pro", "llmrouter9", "superhard17")
NO_LIFETIMES = ("everyday",)
OF_MANY_CONTEXTS = ("mmlu_pro", "llmrouter9")  # fewer sessions of each
OF_FEW_QUERIES = ("superhard17",)  # lifetimes only
AT_ONCE = 2
Job = Sequence[str]


def jobs(data: Path | None) -> list[Job]:
    """Return what may run beside something else, as a script's name and its arguments."""
    found: list[Job] = []
    others = [table for table in OTHERS if data is not None and (data / f"{table}.parquet").is_file()]
    for table in (*SHIPPED, *others):
        place = ("--data", str(data)) if table in others else ()
        few = ("--sessions", "20") if table in OF_MANY_CONTEXTS else ()
        if table not in OF_FEW_QUERIES:
            found.append(("baselines", "--table", table, *place, *few))
        if table not in NO_LIFETIMES:
            found.append(("lifelong", "--table", table, *place))
    found += [(name,) for name in OF_NANO]
    if data is not None and "cascades9" in others:
        found += [(name, "--table", str(data / "cascades9.parquet")) for name in OF_CASCADES]
    return found


def run(job: Job, threads: dict[str, str]) -> bool:
    """Run a script, say how long it took, and return whether it came to its end."""
    name, *arguments = job
    begun = time.perf_counter()
    code = subprocess.run([sys.executable, HERE / f"{name}.py", *arguments], env=os.environ | threads).returncode
    shown = " ".join([name, *(Path(argument).name for argument in arguments)])
    print(f"{shown}: {(time.perf_counter() - begun) / 60:.1f} minutes{', FAILED' if code else ''}", flush=True)
    return code == 0


def main(
    data: Annotated[Path | None, typer.Option(help="Folder of the tables that have no name here.")] = None,
) -> None:
    """Run them all."""
    begun = time.perf_counter()
    ended = [run((name,), {}) for name in TIMED]
    with ThreadPoolExecutor(AT_ONCE) as pool:  # BLAS on several threads would fight over the cores
        ended += pool.map(lambda job: run(job, {"OMP_NUM_THREADS": "1"}), jobs(data))
    print(f"all: {(time.perf_counter() - begun) / 60:.0f} minutes")
    if not all(ended):
        raise SystemExit(f"{ended.count(False)} of {len(ended)} failed")


if __name__ == "__main__":
    typer.run(main)
