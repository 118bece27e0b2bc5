"""Rebuild the nano pool from nothing: the queries, the four LLMs, their outcomes on vLLM, the embeddings.

``make nano``, or ``python -m llm_routing_env.data.nano.build``, took 30 minutes on two CPU cores: seven of
training, 21 of recording.
"""

import argparse
import multiprocessing
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing.managers import SyncManager
from pathlib import Path
from queue import Empty, Queue

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llm_routing_env.data.building import embed_queries, embed_responses, record_outcomes
from llm_routing_env.data.nano.tasks import generate_queries, generate_training

FOLDER = Path(__file__).parent
LLMS = ("tiny-0.1m", "calc-0.6m", "atlas-0.8m", "large-2.0m")
REPEATS = 3
REPORT_EVERY = 20
Report = tuple[str, int, float]
"""An LLM's name, its steps since the last report, and its loss."""


def build_queries(folder: Path = FOLDER) -> int:
    """Write ``queries.jsonl`` and return the number of queries."""
    queries = generate_queries()
    queries.write(folder / "queries.jsonl")
    return len(queries)


def build_llm(name: str, folder: Path, reports: "Queue[Report] | None" = None) -> int:
    """Train one LLM, write it to ``folder / "weights" / name`` and return its number of parameters."""
    import torch

    from llm_routing_env.data.nano.tokenizer import pool_tokenizer
    from llm_routing_env.data.nano.train import RECIPES, save_llm, train_llm

    # Threads of several processes would fight over the cores; a matrix of this size needs one.
    torch.set_num_threads(1)
    training = generate_training()
    tokenizer = pool_tokenizer(training)
    losses: list[float] = []

    def on_step(loss: float) -> None:
        losses.append(loss)
        if reports is not None and len(losses) % REPORT_EVERY == 0:
            reports.put((name, REPORT_EVERY, sum(losses[-REPORT_EVERY:]) / REPORT_EVERY))

    llama = train_llm(RECIPES[name], tokenizer, training, on_step)
    save_llm(llama, tokenizer, folder / "weights" / name)
    return sum(parameter.numel() for parameter in llama.parameters())


def build_llms(names: Iterable[str], folder: Path = FOLDER, processes: int = 2) -> dict[str, int]:
    """Train LLMs in parallel processes, the longest first, and return their numbers of parameters."""
    from llm_routing_env.data.nano.train import RECIPES

    ordered = sorted(names, key=lambda name: -RECIPES[name].work)
    spawn = multiprocessing.get_context("spawn")
    with SyncManager(ctx=spawn) as manager, ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        reports: Queue[Report] = manager.Queue()
        futures = {pool.submit(build_llm, name, folder, reports): name for name in ordered}
        _show(futures, {name: RECIPES[name].steps for name in ordered}, reports)
        return {futures[future]: future.result() for future in as_completed(futures)}


def _show(futures: "dict[Future[int], str]", steps: dict[str, int], reports: "Queue[Report]") -> None:
    """Draw one progress bar per LLM until all are trained."""
    columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("loss {task.fields[loss]}")) as progress:
        bars = {name: progress.add_task(name, total=steps[name], loss="-", start=False) for name in steps}
        while not all(future.done() for future in futures) or not reports.empty():
            try:
                name, n_steps, loss = reports.get(timeout=0.5)
            except Empty:
                continue
            progress.start_task(bars[name])
            progress.update(bars[name], advance=n_steps, loss=f"{loss:.3f}")


def train_llms(options: argparse.Namespace, console: Console) -> None:
    """Train the LLMs that the command line asks for."""
    from llm_routing_env.data.nano.train import RECIPES

    for name, size in build_llms(options.llm or RECIPES, options.folder, options.processes).items():
        console.print(f"{name}: {size:,} parameters, {options.folder / 'weights' / name}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Rebuild the nano pool: queries, LLMs, outcomes, embeddings.")
    parser.add_argument("--only", choices=("tasks", "train", "record", "embed"), help="run only this step")
    parser.add_argument("--llm", action="append", choices=LLMS, help="train only this LLM (may be repeated)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write (default: beside this file)")
    parser.add_argument("--processes", type=int, default=2, help="LLMs trained at once (default: 2)")
    options = parser.parse_args(arguments)
    console = Console()
    (options.folder / "weights").mkdir(parents=True, exist_ok=True)
    if options.folder != FOLDER:
        shutil.copy(FOLDER / "pool.toml", options.folder)
    if options.only in (None, "tasks"):
        console.print(f"{build_queries(options.folder)} queries written to {options.folder / 'queries.jsonl'}")
    if options.only in (None, "train"):
        train_llms(options, console)
    if options.only in (None, "record"):
        record_outcomes(options.folder, repeats=REPEATS)
    if options.only in (None, "embed"):
        embed_queries(options.folder)
        embed_responses(options.folder)


if __name__ == "__main__":
    main()
