"""Say what will be sent before money is spent, and ask where nothing bounds it."""

import sys

from llm_routing_env.pools.estimate import Estimate
from llm_routing_env.terminal import Terminal


def confirm(estimate: Estimate, *, max_usd: float | None, max_requests: int | None, yes: bool, more: str = "") -> None:
    """Print an estimate to standard error; where it costs money without a bound, go on only if somebody says yes.

    Args:
        estimate: What will be sent.
        max_usd: Most US dollars, if given.
        max_requests: Most requests, if given.
        yes: Whether the question was answered beforehand.
        more: What else is to be said of it.

    Raises:
        ValueError: Nobody is there to be asked.
        RuntimeError: The answer is no.
    """
    line = f"Live LLMs get {estimate}.{' ' * bool(more)}{more}"
    console = Terminal(stderr=True, soft_wrap=True)
    console.print(line, markup=False, highlight=False)
    if yes or not estimate.is_charged or max_usd is not None or max_requests is not None:
        return
    if not sys.stdin.isatty():
        raise ValueError("That costs money and nothing bounds it: give --max-usd, or --yes to go on without.")
    console.print("That costs money and no --max-usd bounds it. Go on? [y/N]", end=" ", markup=False, highlight=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):  # typer would ask on standard output
        raise RuntimeError("Nothing was sent.")
