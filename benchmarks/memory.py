"""Peak memory of a process against the size of its outcome table (Linux).

    python benchmarks/memory.py [--table nano] [--rows 10000 --rows 100000 --rows 1000000]
        [--imported-rows 2000000] [--beside f3c4205]

Long tables are the given one, repeated under new query ids and prompts in a temporary folder, embeddings too. Each row
is a process of its own that makes the environment and takes a step. Beside it stands what reading the same file with
pyarrow takes, and what the bare imports take. Memory hardly varies, so there is one process of each; it grows with the
length of the texts, which are the given table's.

`pickllm import long` is measured apart, on files of made-up rows (10 LLMs, answers of 110 characters): its peak memory
and CPU seconds, beside those of an earlier commit, whose code is checked out of this repository for it.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import typer
from results_file import save
from rich.console import Console
from rich.progress import track
from rich.table import Table

from llm_routing_env.observations.embedding_file import embeddings_path
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.table import OutcomeTable

ROWS = [10_000, 100_000, 1_000_000]
# The kernel's own high-water mark: ru_maxrss of a child starts at what its parent took.
REPORT = """
import json, pathlib, time
status = pathlib.Path("/proc/self/status").read_text()
peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"peak_mb": peak_mb, "seconds": time.perf_counter() - start, "cpu_s": time.process_time()}))
"""
START = "import sys, time; start = time.perf_counter()\n"
MAKE = """import gymnasium as gym, llm_routing_env
env = gym.make("PickLLM-v0", table=sys.argv[1], split="all", observation="{}")
env.reset(seed=0)
env.step(0)
"""
IMPORTS = {"python": "", "import gymnasium": "import gymnasium", "import llm_routing_env": "import llm_routing_env"}
USES = {
    "pyarrow reads it": "import pyarrow.parquet as pq; rows = pq.read_table(sys.argv[1])",
    "PickLLM-v0, observation none": MAKE.format("none"),
    "PickLLM-v0": MAKE.format("embedding"),
}

IMPORT = """
sys.argv = ["pickllm", "import", "long", *sys.argv[1:], "--overwrite"]
from llm_routing_env.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
IMPORTED_LLMS = 10
ROOT = Path(__file__).parents[1]


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path (with embeddings beside it).")] = "nano",
    rows: Annotated[list[int], typer.Option(min=1, help="Rows of the table; may be given several times.")] = ROWS,
    imported_rows: Annotated[
        int, typer.Option(min=0, help="Rows of the files that are imported; 0: none.")
    ] = 2_000_000,
    beside: Annotated[str, typer.Option(help="Commit beside which importing is measured; '': none.")] = "f3c4205",
) -> None:
    """Measure the imports, then each table, then importing."""
    outcomes = load_table(table)
    results = [{"rows": 0, "file_mb": 0.0, "process": name} | run(program) for name, program in IMPORTS.items()]
    with tempfile.TemporaryDirectory() as folder:
        for n in track(rows, "measuring"):
            path = Path(folder, f"{n}.parquet")
            about = {"rows": write_long_table(outcomes, n, path), "file_mb": path.stat().st_size / 2**20}
            results += [about | {"process": name} | run(program, str(path)) for name, program in USES.items()]
    shown = Table("rows", "file, MB", "process", "peak, MB", "seconds")
    for row in results:
        size = (f"{row['rows']:,}", f"{row['file_mb']:.1f}") if row["rows"] else ("", "")
        shown.add_row(*size, row["process"], f"{row['peak_mb']:.0f}", f"{row['seconds']:.2f}")
    Console().print(shown)
    importing = measure_importing(imported_rows, beside) if imported_rows else []
    print(f"wrote {save('memory', outcomes, {'rows': results, 'importing': importing})}")


def measure_importing(rows: int, beside: str) -> list[dict[str, Any]]:
    """Return peak memory and CPU seconds of importing files of so many rows, with this code and an earlier commit's."""
    results = []
    with tempfile.TemporaryDirectory() as folder, code_of(beside) as earlier:
        files = write_rows(rows, Path(folder))
        roots = {"this": ROOT} | ({beside: earlier} if earlier else {})
        for path, (name, root) in track([(path, code) for path in files for code in roots.items()], "importing"):
            if name != "this" and path.suffix == ".jsonl":
                continue  # only what is read now in a new way has a "before" that was promised
            done = run(IMPORT, str(path), str(Path(folder, "out.parquet")), root=root)
            about = {"rows": rows, "file": path.suffix[1:], "file_mb": path.stat().st_size / 2**20, "code": name}
            results.append(about | done)
    shown = Table("importing", "file, MB", "code", "peak, MB", "CPU s", "seconds")
    for row in results:
        numbers = (f"{row['peak_mb']:.0f}", f"{row['cpu_s']:.1f}", f"{row['seconds']:.1f}")
        shown.add_row(f"{row['rows']:,} rows of {row['file']}", f"{row['file_mb']:.0f}", row["code"], *numbers)
    Console().print(shown)
    return results


@contextmanager
def code_of(commit: str) -> Iterator[Path | None]:
    """Give a folder with the code of a commit of this repository; None for ''."""
    if not commit:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", folder, commit], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


def write_rows(rows: int, folder: Path) -> list[Path]:
    """Write the same made-up rows as parquet, CSV and JSON lines."""
    rng, number = np.random.default_rng(0), np.arange(rows)
    query = number // IMPORTED_LLMS
    table = pa.table(
        {
            "query_id": [f"q{each}" for each in query],
            "llm": [f"m{each}" for each in number % IMPORTED_LLMS],
            "prompt": [f"Question {each} " + "word " * 30 for each in query],
            "context": [f"c{each % 20}" for each in query],
            "response": [f"answer {each} " + "text " * 20 for each in number],
            "accuracy": rng.random(rows).round(),
            "cost_usd": rng.random(rows) / 1000,
            "latency_s": rng.random(rows),
        }
    )
    paths = [folder / f"rows.{kind}" for kind in ("parquet", "csv", "jsonl")]
    pq.write_table(table, paths[0])
    pyarrow.csv.write_csv(table, paths[1])
    with open(paths[2], "w") as lines:
        for batch in table.to_batches(max_chunksize=65_536):
            lines.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())
    return paths


def run(program: str, *arguments: str, root: Path = ROOT) -> dict[str, Any]:
    """Return peak_mb, seconds and cpu_s of a process that runs the program with the code that lies in `root`."""
    command = [sys.executable, "-c", START + program + REPORT, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    # Where the program starts stands first on the path, even before PYTHONPATH.
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment, cwd=root)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def write_long_table(outcomes: OutcomeTable, rows: int, path: Path) -> int:
    """Write a table of at least so many rows, whole queries, and its embeddings; return its rows."""
    per_query = outcomes.n_llms * outcomes.n_repeats
    n_queries = -(-rows // per_query)
    _repeat(outcomes.path, n_queries * per_query, path)
    _repeat(embeddings_path(outcomes.path), n_queries, embeddings_path(path))
    return n_queries * per_query


def _repeat(source: Path, rows: int, target: Path) -> None:
    """Write the source's rows over and over, each time with query ids and prompts of their own."""
    once = pq.read_table(source)
    copies = []
    for copy in range(-(-rows // len(once))):
        part = once.slice(0, rows - copy * len(once))
        for column in {"query_id", "prompt"} & set(part.column_names):
            numbered = pc.binary_join_element_wise(part[column].cast(pa.string()), str(copy), " ")
            part = part.set_column(part.column_names.index(column), column, numbered)
        copies.append(part)
    pq.write_table(pa.concat_tables(copies), target, compression="zstd")


if __name__ == "__main__":
    typer.run(main)
