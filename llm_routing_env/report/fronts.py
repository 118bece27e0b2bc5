"""The report of a comparison by preferences, as one HTML file."""

from pathlib import Path

from llm_routing_env.evaluation.fronts import Fronts
from llm_routing_env.evaluation.intervals import shown
from llm_routing_env.evaluation.plots.fronts import draw_fronts
from llm_routing_env.report.page import write_page
from llm_routing_env.rewards.reference_free import proxy_notes

HEADS = ("policies on the front", "hypervolume", "utility", "minus best LLM")


def front_cells(result: Fronts, name: str) -> list[str]:
    """Return what the tables show of a row, in the order of `HEADS`."""
    row = result.rows[name]
    return [str(row.n_on_front), shown(row.hypervolume), shown(row.utility, ".4f"), shown(row.gain, "+.4f")]


def about_fronts(result: Fronts) -> list[str]:
    """Return what a reader of the numbers must know, as sentences."""
    lowest, reward = ", ".join(f"{number:.3g}" for number in result.reference), result.problem.reward
    once = [name for name, one in result.contestants.items() if getattr(one, "sees_preferences", False)]
    said = [
        f"{result.problem.table.name}, {result.problem.split} split, contexts weighted equally; "
        f"{len(result.preferences)} preferences that lie evenly over all there are.",
        f"Objectives: accuracy, -cost / {reward.cost_scale_usd:.3g} $ and -log10(latency in ms). Hypervolume is above "
        f"({lowest}); utility is the mean over preferences of what the policy for each is worth by it.",
        "Minus best LLM: less the best single LLM by each preference, chosen on the other split, paired. Intervals "
        "(95 %) speak of other queries, and of other trainings where there were several.",
        "The per-context best is chosen on the very queries that are judged, the oracle for each query.",
    ]
    if once:
        said.append(
            f"Fitted once, and told the preference with each query: {', '.join(once)}; the others are fitted "
            "to each preference."
        )
    return said + list(result.problem.table.notes) + proxy_notes(result.problem.scorer)


def write_front_report(result: Fronts, path: Path, *, command: str) -> Path:
    """Write the report as one HTML file.

    Args:
        result: What was found.
        path: The file; its folder exists.
        command: The command line that made the result.
    """
    return write_page(
        "fronts.html",
        path,
        draw_fronts(result),
        command=command,
        table=result.problem.table.name,
        about=about_fronts(result),
        heads=HEADS,
        rows={name: front_cells(result, name) for name in result.rows},
        protocols={name: one.protocol for name, one in result.contestants.items()},
        failures=result.failures,
    )
