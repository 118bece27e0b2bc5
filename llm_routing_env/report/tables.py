"""The report's tables: every agent and reference with its numbers, and their rewards by context."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from llm_routing_env.evaluation.intervals import NOTHING, ROUNDING, Interval, bounds_shown
from llm_routing_env.evaluation.intervals import number as written
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.plots.style import interval
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.verdicts import MIN_SESSIONS
from llm_routing_env.report.recovery import recovery_cells, recovery_heads
from llm_routing_env.report.spending import SPENDING_HEADS, spending_cells

DASH = "–"
N_SHADES = 5
OF_ANSWERS = ("accuracy", "session_cost_usd", "latency_s", "latency_p50_s", "latency_p95_s")


@dataclass(frozen=True)
class Column:
    """A number that the table shows.

    Attributes:
        head: Of the column.
        metric: Name in the comparison.
        meaning: In words.
        form: Format of the number.
        factor: Multiplies the number first.
        unit: Written after it.
        is_high_good: Whether more is better.
        shows_range: Whether the interval is shown too.
    """

    head: str
    metric: str
    meaning: str
    form: str = ".3f"
    factor: float = 1.0
    unit: str = ""
    is_high_good: bool = True
    shows_range: bool = False

    @property
    def first(self) -> str:
        """The order that a first click sorts by: best first."""
        return "descending" if self.is_high_good else "ascending"

    def cell(self, value: Interval) -> "Cell":
        """Return the cell of an interval."""
        if value["mean"] is None:
            return Cell(DASH)
        text = f"{written(value['mean'] * self.factor, self.form)}{self.unit}"
        return Cell(text, value["mean"], bounds_shown(value, self.form, self.factor) if self.shows_range else "")


@dataclass(frozen=True)
class Cell:
    """What one cell shows, the number it sorts by, its interval, and how it is marked (shade 0: not)."""

    text: str
    value: float | None = None
    range: str = ""
    shade: int = 0
    is_best: bool = False


@dataclass(frozen=True)
class Row:
    """An agent or a reference; `kind` is "agent", "reference" or "failure"."""

    name: str
    kind: str
    cells: Sequence[Cell] = ()
    protocol: str = ""
    feedback: str = ""
    observation: str = ""
    failure: str = ""


@dataclass(frozen=True)
class ContextTable:
    """Mean rewards: a row per agent or reference, a column per context."""

    heads: list[str]
    rows: list[Row] = field(default_factory=list)


COLUMNS = (
    Column("reward", "reward", "Mean reward of a query.", shows_range=True),
    Column(
        "minus best fixed",
        "reward_minus_best_fixed",
        "Mean reward of a query less that of the best fixed LLM in hindsight, paired.",
        "+.3f",
        shows_range=True,
    ),
    Column("right", "accuracy", "Share of right answers.", ".1f", 100, " %"),
    Column("$/session", "session_cost_usd", "Cost of a session in US dollars.", ".2e", is_high_good=False),
    Column("latency", "latency_s", "Mean latency of a query, in milliseconds.", ".0f", 1000, " ms", is_high_good=False),
    Column("p50", "latency_p50_s", "Median latency of a query.", ".0f", 1000, " ms", is_high_good=False),
    Column("p95", "latency_p95_s", "95 % of the queries take no longer.", ".0f", 1000, " ms", is_high_good=False),
    Column(
        "regret",
        "regret",
        "Expected reward lost in a session to each context's best LLM.",
        ".2f",
        is_high_good=False,
    ),
    Column("best LLM", "optimal_arm_rate", "Share of queries sent to their context's best LLM.", ".1f", 100, " %"),
    Column("commits", "committed", "Share of sessions that settle on one LLM.", ".0f", 100, " %"),
    Column(
        "wrongly",
        "wrong_commit",
        "Share of sessions that settle on another LLM than their context's best.",
        ".0f",
        100,
        " %",
        is_high_good=False,
    ),
    Column(
        "after",
        "median_queries_to_commit",
        "Median number of queries until a session settles, of all sessions; a dash where most never do.",
        ".0f",
        is_high_good=False,
    ),
    Column(
        "gap closed",
        "oracle_gap_closed",
        "Share closed of the gap between the best fixed LLM in hindsight and the per-query oracle.",
        ".0f",
        100,
        " %",
        shows_range=True,
    ),
)


OF_COMMITMENTS = ("committed", "wrong_commit", "median_queries_to_commit")


def shown_columns(result: Comparison) -> list[Column]:
    """Return the columns that say something: those of commitments only where some agent settled on one LLM."""
    return [column for column in COLUMNS if result.some_commit or column.metric not in OF_COMMITMENTS]


def agent_rows(result: Comparison) -> list[Row]:
    """Return the rows of the big table: agents in order, then the references."""
    rows = []
    for name, contestant in result.contestants.items():
        seen = (contestant.protocol, contestant.feedback, contestant.observation)
        if name in result.failures:
            rows.append(Row(name, "failure", (), *seen, result.failures[name]))
        else:
            rows.append(Row(name, "agent", _cells(result, name), *seen))
    for name in result.references.actions:
        shown = f"{name}: its calls fail" if name in result.dead_llms else name
        rows.append(Row(shown, "reference", _cells(result, name), "reference"))
    return rows


def context_table(result: Comparison) -> ContextTable:
    """Return mean rewards by context, shaded within each column."""
    names = [*result.agents, *result.references.actions]
    contexts = list(next(iter(result.logs.values())))
    groups = [POOLED, *contexts]
    columns = [_shaded(result, names, group) for group in groups]
    cells = zip(*columns, strict=True)
    kinds = ["agent"] * len(result.agents) + ["reference"] * len(result.references.actions)
    return ContextTable(groups, [Row(name, kind, row) for name, kind, row in zip(names, kinds, cells, strict=True)])


def routing_table(result: Comparison) -> ContextTable:
    """Return the share of queries that agents and references send to each LLM: a column per LLM."""
    rows = []
    for name in (*result.agents, *(name for name in result.references.actions if not name.startswith("always "))):
        shares = result.routing[name][POOLED].values()
        shades = [min(N_SHADES, int(share * (N_SHADES + 1))) for share in shares]
        cells = [Cell(f"{share:.0%}", share, shade=shade) for share, shade in zip(shares, shades, strict=True)]
        rows.append(Row(name, "agent" if name in result.agents else "reference", cells))
    return ContextTable(list(result.problem.task.llm_names), rows)


def failed_table(result: Comparison) -> ContextTable:
    """Return how many calls of agents failed: a column per LLM of which some did."""
    heads, rows = list(result.failed_calls), []
    for name in result.agents:
        calls = result.calls_of(name)
        cells = [Cell(f"{calls[llm].n_failed:,} of {calls[llm].n_calls:,}", calls[llm].n_failed) for llm in heads]
        rows.append(Row(name, "agent", cells))
    return ContextTable(heads, rows)


def recovery_table(result: Comparison) -> ContextTable:
    """Return what a scenario's events did to agents; without columns where nothing happened."""
    if not result.events:
        return ContextTable([])
    rows = [Row(name, "agent", [Cell(text) for text in recovery_cells(result, name)]) for name in result.agents]
    return ContextTable(recovery_heads(result), rows)


def spending_table(result: Comparison) -> ContextTable:
    """Return what rows spend against the budget; without columns where there is none."""
    if not result.spending:
        return ContextTable([])
    rows = [
        Row(
            name,
            "agent" if name in result.agents else "reference",
            [Cell(text) for text in spending_cells(result, name)],
        )
        for name in result.spending
    ]
    return ContextTable(list(SPENDING_HEADS), rows)


def pair_table(result: Comparison) -> ContextTable:
    """Return the paired reward of each agent less that of each other one, shaded where the lead is clear."""
    rows = []
    for name in result.agents:
        cells = []
        for other in result.agents:
            value = result.pairs[name].get(other, NOTHING)
            low, few = value["low"], (result.sessions_behind(name, other) or MIN_SESSIONS) < MIN_SESSIONS
            is_clear = low is not None and low > ROUNDING and not few
            text = DASH if value["mean"] is None else written(value["mean"], "+.3f")
            cells.append(Cell(text, value["mean"], bounds_shown(value, "+.3f"), N_SHADES if is_clear else 0))
        rows.append(Row(name, "agent", cells))
    return ContextTable(result.agents, rows)


def _cells(result: Comparison, name: str) -> list[Cell]:
    # The accuracy, cost and latency of calls that fail are those of no answer.
    hidden = OF_ANSWERS if name in result.dead_llms else ()
    return [
        column.cell(NOTHING if column.metric in hidden else interval(result, name, column.metric))
        for column in shown_columns(result)
    ]


def _shaded(result: Comparison, names: Sequence[str], group: str) -> list[Cell]:
    values = [interval(result, name, "reward", group) for name in names]
    means = [value["mean"] for value in values]
    known = [mean for mean in means if mean is not None]
    low, width = min(known, default=0.0), max(known, default=0.0) - min(known, default=0.0)
    ranked = {name: mean for name, mean in zip(names, means, strict=True) if name in result.ranked}
    best = max((mean for mean in ranked.values() if mean is not None), default=None)
    cells = []
    for number, (mean, value) in enumerate(zip(means, values, strict=True)):
        plain = COLUMNS[0].cell(value)
        shade = 0 if mean is None or width == 0 else min(N_SHADES, int((mean - low) / width * (N_SHADES + 1)))
        is_best = names[number] in ranked and mean is not None and mean == best
        cells.append(Cell(plain.text, plain.value, plain.range, shade, is_best))
    return cells
