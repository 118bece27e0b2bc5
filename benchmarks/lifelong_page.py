"""The parts of docs/online-pays.md about all routers: the sentence, the queries that it takes, and every router."""

from collections.abc import Sequence

from lifelong_cases import OURS, TABLES, Case, cases, plain
from readme_tables import markdown

from llm_routing_env.evaluation.references import CHOSEN_FIXED, CONTEXT_BEST

ORDER = ("lifelong", "online", "logged", "pretrained")
NEVER = "–"
FEW = 100  # train queries
MUCH, WORTHLESS = 0.1, 0.005  # of reward, for knowing the context: sizes between which no table here lies close


def pays() -> str:
    """Return in one sentence when online routing pays, by what knowing the context is worth."""
    groups: dict[str, list[Case]] = {"much": [], "little": [], "nothing": []}
    for case in cases():
        size = "nothing" if case.worth <= WORTHLESS else "little" if case.worth < MUCH else "much"
        groups[size].append(case)
    parts = "; ".join(_when(size, of) for size, of in groups.items() if of)
    return (
        "Online routing pays where knowing the context is worth something, and the router carries what it learned from "
        f"session to session: `outcome_linear` gets ahead of the best single LLM {parts}.\n"
    )


def _when(size: str, of: list[Case]) -> str:
    worths = [case.worth for case in of]
    told = "nothing" if size == "nothing" else f"{min(worths):.2f} to {max(worths):.2f} of reward"
    after = [_after(case, OURS) for case in of]
    counts = sorted({int(count) for count in after if count != NEVER})
    n_never = after.count(NEVER)
    when = (
        f"after {' to '.join(f'{count:,}' for count in (counts[0], *counts[1:][-1:]))} queries" if counts else "never"
    )
    exceptions = f", {n_never} of {len(after)} times never" if counts and n_never else ""
    return f"where it is worth {told} ({', '.join(dict.fromkeys(case.table for case in of))}) {when}{exceptions}"


def sample_size() -> str:
    """Return after how many queries each lifelong learner gets ahead of the best fixed LLM, beside the headroom."""
    of = list(cases())
    lines: list[Sequence[str]] = [
        ("LLMs", *(str(case.found["llms"]) for case in of)),
        ("contexts", *(str(case.found["contexts"]) for case in of)),
        ("queries before it is judged", *(f"{case.found['queries_before_judged']:,}" for case in of)),
        ("queries in all", *(f"{case.found['queries_lived'][-1]:,}" for case in of)),
        ("oracle minus best fixed", *(f"{case.headroom:.3f}" for case in of)),
        ("per-context best minus best fixed", *(f"{case.worth:z.3f}" for case in of)),
    ]
    names = list(dict.fromkeys(row["row"] for case in of for row in case.rows("lifelong")))
    after = {name: [_after(case, name) for case in of] for name in names}
    names.sort(key=lambda name: (-sum(cell.isdigit() for cell in after[name]), name))
    lines += [(f"`{plain(name)}`", *(f"{int(c):,}" if c.isdigit() else c for c in after[name])) for name in names]
    return markdown(("", *(case.name for case in of)), lines) + "\n"


def lifetimes() -> str:
    """Return the share of the gap that each router closes, on every table."""
    of = list(cases())
    rows = {(row["protocol"], row["row"]): None for case in of for row in case.found["rows"]}
    ranked = sorted(rows, key=lambda key: (ORDER.index(key[0]), -_first(of, key[1])))
    lines = [(f"`{plain(row)}`", protocol, *(_cell(case, row) for case in of)) for protocol, row in ranked]
    lines += [(name, "", *(_cell(case, name) for case in of)) for name in (CHOSEN_FIXED, CONTEXT_BEST)]
    missing = [table for table in TABLES if table not in {case.table for case in of}]
    failed = [f"`{row}` on {case.name}: {line}" for case in of for row, line in case.found["failures"].items()]
    notes = [
        "Per cent closed of the gap between the best fixed LLM in hindsight and the per-query oracle. Bold: better "
        "than that LLM by the 95 % interval of the paired difference and by 1 % of the gap. Negative: worse than "
        "always asking it. Empty: no embeddings.",
        f"Lifelong routers that are nowhere more than 2 % below it, tables of fewer than {FEW} train queries apart: "
        f"{', '.join(f'`{plain(name)}`' for name in _never_below(of)) or 'none'}.",
        *([f"Not run: {', '.join(missing)}."] if missing else []),
        *([f"Could not run: {'; '.join(failed)}."] if failed else []),
    ]
    return markdown(("router", "protocol", *(case.name for case in of)), lines) + "\n\n" + "\n".join(notes) + "\n"


def _never_below(of: Sequence[Case]) -> list[str]:
    of = [case for case in of if case.found["queries_before_judged"] >= FEW]
    names = dict.fromkeys(row["row"] for case in of for row in case.rows("lifelong"))
    return [name for name in names if all(case.gap(name)["mean"] >= -0.02 for case in of if case.row(name))]


def _cell(case: Case, name: str) -> str:
    row = case.row(name)
    if row is None and name not in case.found["references"]:
        return ""
    text = f"{100 * case.gap(name)['mean']:z.0f}"
    return f"**{text}**" if row and row["is_clear_gain"] else text


def _first(of: Sequence[Case], name: str) -> float:
    """Return what a row earns in the first case, by which rows are ordered; those without come last."""
    row = of[0].row(name)
    return float(row["metrics"]["reward"]["mean"]) if row else -1e9


def _after(case: Case, name: str) -> str:
    row = case.row(name)
    return "" if row is None else NEVER if row["ahead_after"] is None else str(row["ahead_after"])
