"""Peak memory of a process against the size of its outcome table (Linux).

    python benchmarks/memory.py [--table nano] [--rows 10000 --rows 100000 --rows 1000000]

Long tables are the given one, repeated under new query ids and prompts in a temporary folder, embeddings too. Each row
is a process of its own that makes the environment and takes a step. Beside it stands what reading the same file with
pyarrow takes, and what the bare imports take. Memory hardly varies, so there is one process of each; it grows with the
length of the texts, which are the given table's.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
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
print(json.dumps({"peak_mb": int(status.split("VmHWM:")[1].split()[0]) / 1024, "seconds": time.perf_counter() - start}))
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


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path (with embeddings beside it).")] = "nano",
    rows: Annotated[list[int], typer.Option(min=1, help="Rows of the table; may be given several times.")] = ROWS,
) -> None:
    """Measure the imports, then each table."""
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
    print(f"wrote {save('memory', outcomes, {'rows': results})}")


def run(program: str, *arguments: str) -> dict[str, Any]:
    """Return peak_mb and seconds of a process that runs the program."""
    command = [sys.executable, "-c", START + program + REPORT, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


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
