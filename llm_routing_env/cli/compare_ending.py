"""How `pickllm compare` ends where not everything was done: what is kept, and how to go on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from llm_routing_env.evaluation.block_store import journals_of
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.stopping import IncompleteError


@contextmanager
def saying_what_is_kept(blocks: Path | None) -> Iterator[None]:
    """Have a comparison that is interrupted say what is kept in its folder of blocks, if it has one."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note(_kept(blocks))
        raise


def _kept(blocks: Path | None) -> str:
    if blocks is None:
        return "Nothing is kept: with --out DIR it would be, and --resume would go on."
    kept = f"{len(list(blocks.glob('*.npz')))} finished blocks"
    if journals_of(blocks).is_dir():
        kept += ", and the outcomes of the others so far,"
    return f"{kept} are kept: the same command with --resume goes on."


def require_complete(result: Comparison, out: Path | None) -> None:
    """Raise where an agent has no results because it failed or the budget was used up, or an LLM because it is down.

    Raises:
        IncompleteError: Something was done; says what is missing and how to go on.
        RuntimeError: Nothing was, or nothing could even be sent.
    """
    is_begun = result.budget is not None and result.budget.n_requests > 0
    if result.failures and not result.agents and not (result.unfinished and is_begun):
        raise RuntimeError("; ".join(f"{name}: {line}" for name, line in result.failures.items()))
    if result.down_llms and not is_begun:
        errors = dict.fromkeys(calls.first_error for calls in result.failed_calls.values())
        raise RuntimeError(f"No request could be sent: {'; '.join(errors)}")
    failed = {name: line for name, line in result.failures.items() if name not in result.unfinished}
    missing = [*failed_agents(failed), *_unfinished(result, out), *_down(result, out)]
    if missing:
        raise IncompleteError(" ".join(missing))


def failed_agents(failures: Mapping[str, str]) -> Iterator[str]:
    """Say which agents failed beside others, and what each raised; nothing where none did."""
    if failures:
        yield f"{'; '.join(f'{name} failed: {line}' for name, line in failures.items())} (the others' results stand)"


def _unfinished(result: Comparison, out: Path | None) -> Iterator[str]:
    if result.unfinished:
        why = result.failures[result.unfinished[0]]
        kept = f"What was answered is kept in {out}: the same command with --resume and a larger budget goes on."
        lost = "What they were answered is not kept: with --out DIR it would be, and --resume would go on."
        yield f"Not finished: {', '.join(result.unfinished)}; {why}. {kept if out else lost}"


def _down(result: Comparison, out: Path | None) -> Iterator[str]:
    """Say which live LLMs hardly answered, and how to go on."""
    if result.down_llms:
        again = "compare again once they answer."
        kept = f"what the others answered is kept in {out}, and the same command with --resume asks only for the rest."
        yield f"Calls of {', '.join(result.down_llms)} failed nearly always, see above: {kept if out else again}"
