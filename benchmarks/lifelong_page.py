"""The parts of docs/online-pays.md about all routers: the sentence, the queries that it takes, and every router."""

from collections.abc import Sequence

from lifelong_cases import OURS, TABLES, Case, cases, plain
from readme_tables import markdown

from llm_routing_env.evaluation.references import CHOSEN_FIXED, CONTEXT_BEST

LIFELONG, AFRESH = "lifelong", "afresh"
FRESH = " fresh"  # lifelong rows of the paper's learners as in the paper: each session a problem of its own
ORDER = (LIFELONG, "online", "logged", "pretrained")
NEVER = "–"
FEW = 100  # train queries


def pays() -> str:
    """Return how many routers gain clearly, first where knowing the context is worth something, then elsewhere."""
    of = list(cases())
    worth, others = ([case for case in of if case.earns_more(CONTEXT_BEST) == more] for more in (True, False))
    fresh = [case for case in of if any(_gains(case, AFRESH))]
    neither = [case for case in of if case not in fresh]
    ours = [case.name for case in of if (row := case.row(OURS)) and row["is_clear_gain"]]
    lines = [
        "carry what they learned from session to session, where knowing the context is worth something (its interval "
        f"is above 0): {_counts(worth, LIFELONG)}",
        f"do so elsewhere ({'; '.join(case.name for case in others) or 'no case'}): {_count(others, LIFELONG)}",
        f"start each session afresh: {_counts(fresh, AFRESH)}; in all other cases {_count(neither, AFRESH)}",
    ]
    return (
        "How many routers earn clearly more than the best single LLM, of those that\n\n"
        + "".join(f"- {line}\n" for line in lines)
        + f"\nOf `{OURS}`, which carries what it learned, the gain is clear in {len(ours)} of {len(of)} cases"
        + (f": {'; '.join(ours)}.\n" if ours else ".\n")
    )


def _counts(of: Sequence[Case], protocol: str) -> str:
    return ", ".join(f"{_count([case], protocol)} ({case.name})" for case in of) or "no case"


def _count(of: Sequence[Case], protocol: str) -> str:
    gains = [gain for case in of for gain in _gains(case, protocol)]
    return f"{sum(gains)} of {len(gains)}"


def _gains(case: Case, protocol: str) -> list[bool]:
    """Return of each router that carries what it learned, or starts afresh, whether it gains; `random` is none."""
    rows = [row for row in (*case.rows(LIFELONG), *case.rows("online")) if row["agent"] != "random"]
    afresh = [row["protocol"] == "online" or row["row"].endswith(FRESH) for row in rows]
    return [
        row["is_clear_gain"] for row, is_afresh in zip(rows, afresh, strict=True) if is_afresh == (protocol == AFRESH)
    ]


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
    names = list(dict.fromkeys(row["row"] for case in of for row in case.rows(LIFELONG)))
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
        "always asking it. Empty: could not run.",
        f"Lifelong routers that are nowhere more than 2 % below it, tables of fewer than {FEW} train queries apart: "
        f"{', '.join(f'`{plain(name)}`' for name in _never_below(of)) or 'none'}.",
        *([f"Not run: {', '.join(missing)}."] if missing else []),
        *([f"Could not run: {'; '.join(failed)}."] if failed else []),
    ]
    return markdown(("router", "protocol", *(case.name for case in of)), lines) + "\n\n" + "\n".join(notes) + "\n"


def _never_below(of: Sequence[Case]) -> list[str]:
    of = [case for case in of if case.found["queries_before_judged"] >= FEW]
    names = dict.fromkeys(row["row"] for case in of for row in case.rows(LIFELONG))
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
