"""The parts of docs/online-pays.md, from what `lifelong.py` measured."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from readme_tables import RESULTS, markdown, read

from llm_routing_env.evaluation.intervals import shown
from llm_routing_env.evaluation.references import BEST_FIXED, CHOSEN_FIXED, CONTEXT_BEST, ORACLE

TABLES = ("nano", "cascades9", "mmlu_pro", "llmrouter9", "superhard17", "production3")
CALLED = {"pickllm": "ratio", "additive": "additive"}
OURS = "outcome_linear on context"
ORDER = ("lifelong", "online", "logged", "pretrained")
Row = dict[str, Any]


class Case(NamedTuple):
    """A table under a form of the reward, and what was found there."""

    table: str
    form: str
    found: dict[str, Any]

    @property
    def name(self) -> str:
        """Table and form, in words."""
        return f"{self.table}, {CALLED[self.form]}"

    def rows(self, *protocols: str) -> list[Row]:
        """Return the rows of some protocols, best first."""
        rows = [row for row in self.found["rows"] if row["protocol"] in protocols]
        return sorted(rows, key=lambda row: -row["metrics"]["reward"]["mean"])

    def gap(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """Return the share closed of the gap to the oracle; of so few queries that it has none, by the means alone."""
        closed = metrics["oracle_gap_closed"]
        if closed["mean"] is not None:
            return dict(closed)
        low, high = (self.reward(name) for name in (BEST_FIXED, ORACLE))
        return {"mean": (metrics["reward"]["mean"] - low) / (high - low), "low": None, "high": None}

    def reward(self, reference: str) -> float:
        """Return what a reference earns."""
        return float(self.found["references"][reference]["reward"]["mean"])


def cases() -> Iterator[Case]:
    """Yield what was measured, table by table."""
    for table in TABLES:
        if (RESULTS / f"lifelong_{table}.json").is_file():
            yield from (Case(table, form, found) for form, found in read("lifelong", table)["result"].items())


def lifetimes() -> str:
    """Return the share of the gap that each router closes, on every table."""
    of = list(cases())
    rows = {(row["protocol"], row["row"]): None for case in of for row in case.found["rows"]}
    ranked = sorted(rows, key=lambda key: (ORDER.index(key[0]), -_mean(of, *key)))
    lines = [(f"`{_plain(row)}`", protocol, *(_cell(case, row) for case in of)) for protocol, row in ranked]
    for name in (CHOSEN_FIXED, CONTEXT_BEST):
        cells = (shown(case.gap(case.found["references"][name]), ".0f", 100) for case in of)
        lines.append((name, "", *(cell.partition(" ")[0] for cell in cells)))
    header = ("router", "protocol", *(case.name for case in of))
    missing = [table for table in TABLES if table not in {case.table for case in of}]
    failed = [f"`{_plain(row)}` on {case.name}: {line}" for case in of for row, line in case.found["failures"].items()]
    notes = [
        "Per cent closed of the gap between the best fixed LLM in hindsight and the per-query oracle. Bold: better "
        "than that LLM by the 95 % interval of the paired difference and by 1 % of the gap. Negative: worse than "
        "always asking it.",
        *([f"Not run: {', '.join(missing)}."] if missing else []),
        *([f"Could not run: {'; '.join(failed)}."] if failed else []),
    ]
    return markdown(header, lines) + "\n\n" + "\n".join(notes) + "\n"


def sample_size() -> str:
    """Return after how many queries each lifelong learner gets ahead of the best fixed LLM, beside the headroom."""
    of = list(cases())
    lines: list[Sequence[str]] = [
        ("LLMs", *(str(case.found["llms"]) for case in of)),
        ("contexts", *(str(case.found["contexts"]) for case in of)),
        ("queries before it is judged", *(f"{case.found['queries_before_judged']:,}" for case in of)),
        ("queries in all", *(f"{case.found['queries_lived'][-1]:,}" for case in of)),
        ("oracle minus best fixed", *(f"{case.reward(ORACLE) - case.reward(BEST_FIXED):.3f}" for case in of)),
        (
            "per-context best minus best fixed",
            *(f"{case.reward(CONTEXT_BEST) - case.reward(BEST_FIXED):.3f}" for case in of),
        ),
    ]
    names = list(dict.fromkeys(row["row"] for case in of for row in case.rows("lifelong")))
    after = {name: [_after(case, name) for case in of] for name in names}
    names.sort(key=lambda name: (-sum(cell.isdigit() for cell in after[name]), name))
    lines += [(f"`{_plain(name)}`", *(f"{int(c):,}" if c.isdigit() else c for c in after[name])) for name in names]
    return markdown(("", *(case.name for case in of)), lines) + "\n"


def reached() -> str:
    """Return the figures that were set out to be reached, beside what came."""
    of = {case.name: case for case in cases()}
    lines = []
    for name, case in of.items():
        lines += list(_reached(name, case))
    return markdown(("table, protocol", "at least", "what came", ""), lines) + "\n"


def _reached(name: str, case: Case) -> Iterator[tuple[str, str, str, str]]:
    best, ours = case.rows("lifelong")[0], _find(case, OURS)
    said = ", ".join(f"`{_plain(row['row'])}` {_gap(case, row)}" for row in _distinct(best, ours))
    gap = case.gap(best["metrics"])
    above = gap["low"] if gap["low"] is not None else gap["mean"]
    if name == "cascades9, ratio":
        full = case.rows("pretrained")[0]
        share = gap["mean"] / case.gap(full["metrics"])["mean"]
        told = f"{said}; best shown every answer, `{_plain(full['row'])}` {_gap(case, full)}: {share:.0%} of that"
        is_reached = gap["mean"] >= 0.07 and above > 0 and share >= 0.8
        yield (
            f"{name}, lifelong",
            "7 %, interval above 0; 80 % of the best that is shown every answer",
            told,
            _yes(is_reached),
        )
        fresh = case.rows("online")[0]
        is_reached = case.gap(fresh["metrics"])["mean"] >= -0.03
        yield f"{name}, fresh, 200 queries", "-3 %", f"`{_plain(fresh['row'])}` {_gap(case, fresh)}", _yes(is_reached)
    elif name == "cascades9, additive":
        yield f"{name}, lifelong", "interval above -1 %, aim above 0", said, _yes(above > -0.01)
    elif case.table == "nano":
        yield f"{name}, lifelong", "80 %", said, _yes(gap["mean"] >= 0.8)
    else:
        lives = case.rows("lifelong")
        n_near = sum(case.gap(row["metrics"])["mean"] >= -0.02 for row in lives)
        told = f"{said}; {n_near} of {len(lives)} lifelong routers are not below -2 %"
        yield f"{name}, lifelong", "-2 %, above 0 where there is headroom", told, _yes(gap["mean"] >= -0.02)


def _yes(is_reached: bool) -> str:
    return "reached" if is_reached else "missed"


def _distinct(*rows: Row) -> list[Row]:
    return list({row["row"]: row for row in rows}.values())


def _find(case: Case, name: str) -> Row:
    return next(row for row in case.found["rows"] if row["row"] == name)


def _gap(case: Case, row: Row) -> str:
    return f"{shown(case.gap(row['metrics']), '.1f', 100)} %"


def _cell(case: Case, name: str) -> str:
    for row in case.found["rows"]:
        if row["row"] == name:
            text = f"{100 * case.gap(row['metrics'])['mean']:z.0f}"
            return f"**{text}**" if row["is_clear_gain"] else text
    return ""


def _mean(of: Sequence[Case], protocol: str, name: str) -> float:
    """Return the share closed on nano's first form, by which rows are ordered."""
    rows = (row for row in of[0].rows(protocol) if row["row"] == name)
    return next((float(row["metrics"]["reward"]["mean"]) for row in rows), -1e9)


def _after(case: Case, name: str) -> str:
    for row in case.rows("lifelong"):
        if row["row"] == name:
            return "–" if row["ahead_after"] is None else str(row["ahead_after"])
    return ""


def _plain(row: str) -> str:
    """Return a row's name without what its protocol's column says."""
    return row.removesuffix(" lives").removesuffix(" online").removesuffix(" logged")
