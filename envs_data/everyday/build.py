"""Rebuild the everyday table: its queries, the LLM that it needs beside nano's, the outcomes on vLLM, the embeddings.

``make everyday``, or ``python -m llm_routing_env.data.everyday.build``: run it again, and what was interrupted goes on.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from llm_routing_env.data.building import embed_queries, record_outcomes
from llm_routing_env.data.everyday.general import general_queries
from llm_routing_env.data.everyday.smollm2 import fetch_smollm2
from llm_routing_env.data.nano.build import FOLDER as NANO
from llm_routing_env.tables.queries import Query, QuerySet

FOLDER = Path(__file__).parent
SPLIT_SIZES = {"train": 50, "test": 100}  # of each of nano's contexts
REPEATS = 1
LOADS, LOAD_REQUESTS = (1, 4, 16), 32  # SmolLM2 takes as long for one as nano's LLMs for ten


def nano_queries() -> Iterator[Query]:
    """Yield the first queries of each split of each of nano's contexts."""
    queries = QuerySet.read(NANO / "queries.jsonl")
    for context in queries.contexts:
        for split, size in SPLIT_SIZES.items():
            yield from [query for query in queries if (query.context, query.split) == (context, split)][:size]


def everyday_queries() -> QuerySet:
    """Return a part of nano's queries, and the questions of the context "general"."""
    return QuerySet([*nano_queries(), *general_queries()])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Rebuild the everyday table: queries, weights, outcomes, embeddings.")
    parser.add_argument("--only", choices=("queries", "fetch", "record", "embed"), help="run only this step")
    only, console = parser.parse_args(arguments).only, Console(soft_wrap=True)
    if only in (None, "queries"):
        queries = everyday_queries()
        queries.write(FOLDER / "queries.jsonl")
        console.print(f"{len(queries)} queries written to {FOLDER / 'queries.jsonl'}")
    if only in (None, "fetch"):
        try:
            console.print(f"SmolLM2-135M-Instruct: {fetch_smollm2()}")
        except (ImportError, RuntimeError) as error:
            parser.exit(2, f"{error}\n")
    if only in (None, "record"):
        record_outcomes(FOLDER, repeats=REPEATS, loads=LOADS, n_requests=LOAD_REQUESTS)
    if only in (None, "embed"):
        embed_queries(FOLDER)


if __name__ == "__main__":
    main()
