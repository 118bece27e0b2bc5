"""A comparison in the terminal: the headroom, the agents, the references, and what may be concluded."""

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from llm_routing_env.evaluation.comparison import Comparison
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.statistics import Interval
from llm_routing_env.evaluation.tuning import Tuned
from llm_routing_env.evaluation.verdicts import headroom
from llm_routing_env.terminal import Terminal

COLUMNS = ("", "feedback", "reward", "right", "$/session", "latency", "regret", "commits", "to best", "gap")
Metrics = Mapping[str, Interval]


def print_tuning(console: Terminal, tuned: Mapping[str, Tuned]) -> None:
    """Print what was chosen for each agent, and from how many candidates."""
    for name, found in tuned.items():
        values = ", ".join(f"{parameter}={value!r}" for parameter, value in found.chosen.items())
        console.print(
            f"Tuned {name} on the train split: {values} (best of {len(found.candidates)} candidates, "
            f"{found.n_sessions} sessions per context each)",
            markup=False,
            highlight=False,
        )


def print_comparison(console: Terminal, result: Comparison) -> None:
    """Print everything that a reader needs: what was asked, the headroom, the table, the verdicts."""
    reward = result.problem.reward
    console.print(
        f"\n{result.n_sessions} sessions per context, {result.problem.split} split, reward {reward.form!r}, "
        f"weights {list(reward.weights)}, seed {result.seed}"
    )
    references = {name: result.metrics[name][POOLED] for name in result.references.actions}
    console.print(headroom(references, result.references.best_fixed), highlight=False, markup=False)
    title = "Means with 95 % intervals, contexts weighted equally"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("", "feedback") else "right", no_wrap=True)
    for protocol in ("online", "pretrained"):
        rows = [name for name in result.contestants if result.contestants[name].protocol == protocol]
        if rows:
            table.add_row(f"[bold]{protocol}[/bold]")
        for name in rows:
            _add_agent(table, result, name)
        table.add_section()
    table.add_row("[bold]references[/bold]")
    for name, metrics in references.items():
        table.add_row(escape(name), "", *_cells(metrics))
    # Narrower, numbers would be cut off.
    console.width = max(console.width, Measurement.get(console, console.options.update_width(1000), table).maximum)
    console.print(table)
    for name, sentence in result.verdicts.items():
        console.print(f"{name}: {sentence}", highlight=False, markup=False)
    for name, line in result.failures.items():
        console.print(f"{name} failed: {line}", highlight=False, markup=False, style="red")
    console.print(
        "\nonline: a fresh learner per session, judged on all it routes. pretrained: fitted on the train split. "
        "right: share of right answers. commits: queries until it does. to best: sessions that committed to "
        "their context's best LLM. gap: share closed of the gap between the best fixed LLM and the oracle."
    )


def _add_agent(table: Table, result: Comparison, name: str) -> None:
    contestant = result.contestants[name]
    shown = escape(contestant.agent.rpartition(":")[2].partition("@")[0])  # of module:Class, the class
    if name in result.failures:
        table.add_row(shown, contestant.feedback, "[red]failed[/red]")
    else:
        table.add_row(shown, contestant.feedback, *_cells(result.metrics[name][POOLED]))


def _cells(metrics: Metrics) -> list[str]:
    reward = metrics["reward"]
    return [
        f"{reward['mean']:.2f} \\[{reward['low']:.2f}, {reward['high']:.2f}]",
        _format(metrics, "accuracy", "{:.3f}"),
        _format(metrics, "session_cost_usd", "{:.1e}"),
        _format(metrics, "latency_s", "{:.0f} ms", 1000),
        _format(metrics, "regret", "{:.1f}"),
        _format(metrics, "queries_to_commit", "{:.0f}"),
        _format(metrics, "correct_commit", "{:.0f} %", 100),
        _format(metrics, "oracle_gap_closed", "{:.0f} %", 100),
    ]


def _format(metrics: Metrics, name: str, form: str, factor: float = 1.0) -> str:
    mean = metrics[name]["mean"]
    return "-" if mean is None else form.format(mean * factor)
