"""Published tables beside recomputed ones, for docs/related.md: what the scripts of `published/` wrote."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "published"))

from readme_tables import markdown, read
from recomputed import HEADER, Row, shown


def published_cascades() -> str:
    """Return the areas under the cascades' curves, published then recomputed, a benchmark a column."""
    rows = {tuple(row.what.split(", ")): row for row in _rows("cascades")}
    benchmarks, pairs = (list(dict.fromkeys(key[place] for key in rows)) for place in (0, 1))
    lines = [(pair, *(_beside(rows[benchmark, pair]) for benchmark in benchmarks)) for pair in pairs]
    return markdown(("LLMs", *benchmarks), lines) + f"\n\nPublished / recomputed; {_agreeing(list(rows.values()))}.\n"


def published_paretobandit() -> str:
    """Return what single LLMs earn, and reward and spending at each budget."""
    rows = {row.what: row for row in _rows("paretobandit")}
    fixed = [row.cells() for what, row in rows.items() if not what.startswith("budget")]
    budgets = [what.removesuffix(", USD per query") for what in rows if what.endswith(", USD per query")]
    lines = []
    for budget in budgets:
        of_budget = [
            rows[f"{budget}, {start}: {what}"] for start in ("cold", "warm") for what in ("reward", "spent / budget")
        ]
        told = (of_budget[0].published, of_budget[1].published)
        within = all(row.agrees for row in (rows[f"{budget}, USD per query"], *of_budget))
        pairs = [told, *((of_budget[i].recomputed, of_budget[i + 1].recomputed) for i in (0, 2))]
        usd = rows[f"{budget}, USD per query"].recomputed
        lines.append(
            (f"${usd:.2e}", *(f"{reward:.4f}, {share:.2f}" for reward, share in pairs), "yes" if within else "NO")
        )
    heads = ("budget", "published: reward, spent / budget", "cold", "warm", "within bounds")
    return (
        markdown(HEADER, fixed)
        + "\n\n"
        + markdown(heads, lines)
        + f"\n\n{_agreeing(list(rows.values())).capitalize()}.\n"
    )


def published_logpai() -> str:
    """Return OptLLM's table."""
    return _whole("logpai")


def published_overruling() -> str:
    """Return FrugalGPT's table."""
    return _whole("overruling")


def published_cube_stacking() -> str:
    """Return what follows from LaGR-SEQ's recorded answers."""
    return _whole("cube_stacking")


def _rows(name: str) -> list[Row]:
    return [Row(**row) for row in read("published", name)["result"]]


def _whole(name: str) -> str:
    rows = _rows(name)
    return markdown(HEADER, [row.cells() for row in rows]) + f"\n\n{_agreeing(rows).capitalize()}.\n"


def _beside(row: Row) -> str:
    assert row.published is not None
    return f"{shown(row.published)} / {shown(row.recomputed)}{'' if row.agrees else ' NO'}"


def _agreeing(rows: list[Row]) -> str:
    judged = [row.agrees for row in rows if row.agrees is not None]
    return f"{sum(judged)} of {len(judged)} within bounds"
