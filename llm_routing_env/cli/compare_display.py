"""A comparison in the terminal: the headroom, the agents, the references, and what may be concluded."""

from collections.abc import Iterator, Mapping

from rich.markup import escape

from llm_routing_env.cli.columns import print_table
from llm_routing_env.evaluation.intervals import Interval, shown
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.protocols import PROTOCOLS
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.tuning import Tuned
from llm_routing_env.evaluation.verdicts import MIN_SESSIONS, headroom
from llm_routing_env.report.recovery import ABOUT_RECOVERY, recovery_cells, recovery_heads
from llm_routing_env.report.spending import ABOUT_SPENDING, SPENDING_HEADS, spending_cells, spending_title
from llm_routing_env.report.words import about_intervals, conditions, failed_calls
from llm_routing_env.terminal import Terminal

COLUMNS = (
    *("", "feedback", "reward", "right", "$/session", "latency", "p50", "p95", "regret"),
    *("commits", "wrongly", "after", "gap"),
)
OF_COMMITMENTS = COLUMNS[-4:-1]  # shown where some agent settled on one LLM
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
        if found.remark:
            console.print(found.remark, markup=False, highlight=False, style="yellow")


def print_comparison(console: Terminal, result: Comparison, against: str | None = None) -> None:
    """Print everything that a reader needs: what was asked, the headroom, the tables, the verdicts.

    Args:
        console: Where.
        result: What was found.
        against: An agent that all the others are compared with.
    """
    reward = result.problem.reward
    console.print(f"reward {reward.form!r}, weights {list(reward.weights)}, seed {result.seed}", highlight=False)
    for line in conditions(result):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    references = {name: result.metrics[name][POOLED] for name in result.references.actions}
    fixed = (result.references.best_fixed, result.references.chosen_fixed)
    console.print(headroom(references, *fixed), highlight=False, markup=False)
    title = "Means with 95 % intervals, contexts weighted equally"
    columns = [name for name in COLUMNS if result.some_commit or name not in OF_COMMITMENTS]
    rows: list[list[str]] = []
    for protocol in PROTOCOLS:
        names = [name for name in result.contestants if result.contestants[name].protocol == protocol]
        if names:
            rows += [[f"[bold]{protocol}[/bold]"], *(_agent(result, name) for name in names), []]
    rows.append(["[bold]references[/bold]"])
    for name, metrics in references.items():
        if name in result.dead_llms:  # its accuracy, cost and latency are those of no answer
            rows.append([f"{escape(name)}: its calls fail", "", escape(shown(metrics["reward"], ".2f"))])
        else:
            rows.append([escape(name), "", *_cells(result, name)])
    print_table(console, columns, rows, title=title, left=("feedback",))
    _print_routing(console, result)
    if result.spending:
        _print_spending(console, result)
    if result.events:
        _print_recovery(console, result)
    console.print()
    _print_verdicts(console, result, against)
    for line in failed_calls(result):
        console.print(line, highlight=False, markup=False, style="yellow", soft_wrap=True)
    for line in ("", *about_intervals(result)):
        console.print(line, highlight=False, markup=False)
    commits = (
        "commits, wrongly: sessions that settle on one LLM, and on another than their context's best; after: the "
        "median number of queries until then, of all sessions. "
    )
    console.print(
        f"right: share of right answers. {commits if result.some_commit else ''}gap: share closed of the gap between "
        "the best fixed LLM in hindsight and the oracle. *: beats that LLM clearly."
    )
    if result.spending:
        console.print(ABOUT_SPENDING, highlight=False, markup=False)
    if result.events:
        console.print(ABOUT_RECOVERY, highlight=False, markup=False)


def _print_verdicts(console: Terminal, result: Comparison, against: str | None) -> None:
    for name, sentence in result.verdicts.items():
        console.print(f"{name}: {sentence}", highlight=False, markup=False)
    for name in result.agents if against in result.agents else ():
        if name != against:
            console.print(f"{name}: {result.against(name, str(against))}", highlight=False, markup=False)
    if result.n_lifetimes >= MIN_SESSIONS:  # of fewer the verdict has said that they show nothing
        for line in _crossings(result):
            console.print(line, highlight=False, markup=False)
    for name, line in result.failures.items():
        console.print(f"{name} failed: {line}", highlight=False, markup=False, style="red")


def _crossings(result: Comparison) -> Iterator[str]:
    """Yield after how many queries each lifelong agent gets ahead of the best fixed LLM."""
    for name, curve in result.life_curves.items():
        after = curve.crosses_after(is_clear_gain=result.is_clear_gain(name))
        ahead = "does not clearly get ahead" if after is None else f"gets ahead after {after} queries"
        yield f"{name} in a life of {curve.ends[-1]} queries: {ahead} of always {result.references.best_fixed}"


def _print_routing(console: Terminal, result: Comparison) -> None:
    """Print the share of queries that agents and what could be had send to each LLM."""
    llms, rows = result.problem.task.llm_names, []
    references = [name for name in result.references.actions if not name.startswith("always ")]
    for name in (*result.agents, *references):
        shares, calls = result.routing[name][POOLED], result.calls_of(name)
        failed = {llm: f" ({of_llm.n_failed:,} failed)" if of_llm.n_failed else "" for llm, of_llm in calls.items()}
        cells = (f"{share:.0%}{failed[llm]}" for llm, share in shares.items())
        rows.append([escape(_shown_name(result, name)), *cells])
    print_table(console, ("", *map(escape, llms)), rows, title="Queries sent to each LLM")


def _print_spending(console: Terminal, result: Comparison) -> None:
    """Print what agents and references spend against the budget."""
    rows = [[escape(_shown_name(result, name)), *map(escape, spending_cells(result, name))] for name in result.spending]
    print_table(console, ("", *SPENDING_HEADS), rows, title=spending_title(result))


def _print_recovery(console: Terminal, result: Comparison) -> None:
    """Print what the scenario's events did to the agents."""
    rows = [[escape(_shown_name(result, name)), *map(escape, recovery_cells(result, name))] for name in result.agents]
    print_table(console, ("", *recovery_heads(result)), rows, title="Regret, and how soon agents are back")


def _agent(result: Comparison, name: str) -> list[str]:
    contestant = result.contestants[name]
    cells = ["[red]failed[/red]"]
    if name not in result.failures:
        cells = _cells(result, name)
    return [escape(_shown_name(result, name)), contestant.feedback, *cells]


def _shown_name(result: Comparison, name: str) -> str:
    """Return a row's name; of module:Class, which nobody gave it, the class, where no other row is called so."""
    contestant, short = result.contestants.get(name), name.rpartition(":")[2]
    is_unnamed = contestant is not None and name.partition("@")[0] == contestant.agent
    is_unique = [other.rpartition(":")[2] for other in result.contestants].count(short) == 1
    return short if is_unnamed and is_unique else name


def _cells(result: Comparison, name: str) -> list[str]:
    metrics = result.metrics[name][POOLED]
    of_commitments = [
        *(_format(metrics, name, "{:.0f} %", 100) for name in ("committed", "wrong_commit")),
        _format(metrics, "median_queries_to_commit", "{:.0f}"),
    ]
    return [
        escape(shown(metrics["reward"], ".2f")) + ("*" if result.is_clear_gain(name) else ""),
        _format(metrics, "accuracy", "{:.3f}"),
        _format(metrics, "session_cost_usd", "{:.1e}"),
        *(_format(metrics, name, "{:.0f} ms", 1000) for name in ("latency_s", "latency_p50_s", "latency_p95_s")),
        _format(metrics, "regret", "{:.1f}"),
        *(of_commitments if result.some_commit else []),
        _format(metrics, "oracle_gap_closed", "{:.0f} %", 100),
    ]


def _format(metrics: Metrics, name: str, form: str, factor: float = 1.0) -> str:
    mean = metrics[name]["mean"]
    return "-" if mean is None else form.format(mean * factor)
