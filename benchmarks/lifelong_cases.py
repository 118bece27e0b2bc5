"""What `lifelong.py` measured, as the pages and pictures read it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from readme_tables import RESULTS, read

from llm_routing_env.evaluation.intervals import ROUNDING, shown
from llm_routing_env.evaluation.references import BEST_FIXED, CONTEXT_BEST, ORACLE

TABLES = ("nano", "cascades9", "mmlu_pro", "llmrouter9", "superhard17", "production3")
CALLED = {"pickllm": "ratio", "additive": "additive"}
OURS = "outcome_linear on context"
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

    @property
    def worth(self) -> float:
        """What knowing the context earns beyond the best fixed LLM."""
        return self.reward(CONTEXT_BEST) - self.reward(BEST_FIXED)

    @property
    def headroom(self) -> float:
        """What the oracle earns beyond the best fixed LLM."""
        return self.reward(ORACLE) - self.reward(BEST_FIXED)

    def earns_more(self, reference: str) -> bool:
        """Return whether a reference earns more than the best fixed LLM, by the interval of the difference."""
        gain, share = (
            self.found["references"][reference][metric] for metric in ("reward_minus_best_fixed", "oracle_gap_closed")
        )
        is_exact = gain["low"] is None and share["mean"] is not None  # its interval has no width
        low = gain["mean"] if is_exact else gain["low"]
        return low is not None and low > ROUNDING

    def rows(self, protocol: str) -> list[Row]:
        """Return the rows of a protocol, best first."""
        rows = [row for row in self.found["rows"] if row["protocol"] == protocol]
        return sorted(rows, key=lambda row: -row["metrics"]["reward"]["mean"])

    def row(self, name: str) -> Row | None:
        """Return a row by its name; None where it was not run."""
        return next((row for row in self.found["rows"] if row["row"] == name), None)

    def gap(self, name: str) -> dict[str, Any]:
        """Return the share that a row or a reference closes of the gap to the oracle.

        Of so few queries that it has none it is that of the means, without an interval.
        """
        row = self.row(name)
        metrics = row["metrics"] if row else self.found["references"][name]
        if metrics["oracle_gap_closed"]["mean"] is not None:
            return dict(metrics["oracle_gap_closed"])
        gain = metrics["reward"]["mean"] - self.reward(BEST_FIXED)
        return {"mean": gain / self.headroom, "low": None, "high": None}

    def told(self, name: str) -> str:
        """Return that share in per cent, with its interval."""
        return f"{shown(self.gap(name), '.1f', 100)} %"

    def reward(self, reference: str) -> float:
        """Return what a reference earns."""
        return float(self.found["references"][reference]["reward"]["mean"])


def cases() -> Iterator[Case]:
    """Yield what was measured, table by table."""
    for table in TABLES:
        if (RESULTS / f"lifelong_{table}.json").is_file():
            yield from (Case(table, form, found) for form, found in read("lifelong", table)["result"].items())


def plain(row: str) -> str:
    """Return a row's name without what its protocol's column says."""
    return row.removesuffix(" lives").removesuffix(" online").removesuffix(" logged")
