"""Every agent on a table, under both reward forms, beside the references.

    python benchmarks/baselines.py [--table nano]

Writes `results/baselines_<table>.json` and a page of the same name that says which agents beat the best fixed LLM.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from defaults import TEXTBOOK
from results_file import file_of, save
from rich.progress import Progress

from llm_routing_env.agents import AGENTS
from llm_routing_env.evaluation.comparison import run_comparison
from llm_routing_env.evaluation.contestants import Contestant
from llm_routing_env.evaluation.engines import make_engine
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.intervals import shown
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.evaluation.verdicts import headroom, is_clear_gain
from llm_routing_env.report.words import conditions
from llm_routing_env.rewards.forms import FORMS
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.table import OutcomeTable

SKIPPED = ("fixed",)  # stands in every table as "always <LLM>"
TEXTBOOK_ROW = "textbook "
BLOCKS = Path(__file__).parents[1] / "results" / "blocks"
SB3 = ("ppo", "a2c", "dqn")
ABOUT = (
    "Weights 1, 0.5, 0.5. Online: a fresh learner per session, judged on every query it routes; intervals speak of "
    "other queries and other sessions. Pretrained: fitted on the train split (with feedback `full`, on the outcome of "
    "every LLM on each of its queries), judged on every query of the test split; intervals speak of other queries and, "
    "where training draws, of other training seeds. The two are different questions. Gap: the share closed of the gap "
    "between the best fixed LLM in hindsight and the oracle, under the defaults, which were chosen on nano's train "
    "split (`benchmarks/defaults.py`); textbook: the same under the literature's setting. Bold: beats that LLM, by the "
    "interval and by 1 % of the gap.\n\n"
)
ALL = ",".join([*(name for name in AGENTS if name not in SKIPPED), *SB3])


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path (with embeddings beside it).")] = "nano",
    agents: Annotated[str, typer.Option(help="Agents, separated by commas.")] = ALL,
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 50,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    source: Annotated[str, typer.Option(help="Where the outcomes come from, for the page.")] = "",
    seed: int = 0,
) -> None:
    """Run every agent, with its default and its textbook setting, and write the page."""
    outcomes = load_table(table)
    names = agents.split(",")
    textbook = {f"{TEXTBOOK_ROW}{name}": values for name, values in TEXTBOOK.items() if name in names}
    pages, results, earlier = [], {}, _earlier(outcomes)
    for reward in FORMS:
        setting = Setting({"table": table, "reward": reward}, seed=seed)
        competitors = contestants([*names, *(f"{row}={row.removeprefix(TEXTBOOK_ROW)}" for row in textbook)], textbook)
        result = run(competitors, setting, sessions, engine)
        document = result.document()
        document["agents"] = [row for row in document["agents"] if row["context"] == "all"]
        document["references"] = {name: of_all["all"] for name, of_all in document["references"].items()}
        del document["pairs"]
        document["carried"] = carried(earlier.get(reward, {}), document["agents"])
        results[reward] = document
        pages.append(page(result) + carried_page(document["carried"]))
    path = save("baselines", outcomes, results)
    label = path.stem.removeprefix("baselines_")
    notes = "".join(f"{note}\n\n" for note in ([f"Source: {source}"] if source else []))
    text = f"# Every agent on {label}\n\n{ABOUT}{notes}" + "\n".join(pages)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    print(f"wrote {path} and {path.with_suffix('.md')}")


def _earlier(outcomes: OutcomeTable) -> dict[str, Any]:
    path = file_of("baselines", outcomes)
    return json.loads(path.read_text(encoding="utf-8"))["result"] if path.is_file() else {}


def carried(earlier: dict[str, Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return an earlier page's rows of agents that were not run now, of the time before intervals spoke of queries.

    Later ones belong to another run, and are left out.
    """
    ran = {row["name"] for row in rows}
    rows_before = [*earlier.get("carried", []), *earlier.get("agents", [])]
    return [row for row in rows_before if row["name"] not in ran and "intervals_over" not in row]


def carried_page(rows: list[dict[str, Any]]) -> str:
    """Return them as a table that says what they cannot be compared with."""
    if not rows:
        return ""
    lines = ["Not run again; as of an earlier protocol, with intervals over sessions alone:", ""]
    lines += ["| agent | protocol | sees | reward [95 % over sessions] |", "| --- | --- | --- | --- |"]
    for found in rows:
        reward = shown(found["metrics"]["reward"])
        lines.append(f"| `{found['agent']}` | {found['protocol']} | {found['observation']} | {reward} |")
    return "\n".join([*lines, "", ""])


def run(competitors: list[Contestant], setting: Setting, sessions: int, engine: str) -> Comparison:
    """Compare the agents, with a progress bar; what was run before is taken from `results/blocks`."""
    with Progress(transient=True) as progress:
        bar = progress.add_task("", total=None)

        def show(name: str, done: int, total: int) -> None:
            description = f"{setting.options['reward']}: {name}"
            progress.update(bar, description=description, completed=done, total=total)

        return run_comparison(
            competitors,
            setting,
            sessions,
            engine=make_engine(engine),
            blocks_folder=BLOCKS,
            on_progress=show,
        )


def page(result: Comparison) -> str:
    """Return one reward form's table, the best agent first in each protocol, and the verdicts."""
    metrics = {name: of_contexts["all"] for name, of_contexts in result.metrics.items()}
    references = {name: metrics[name] for name in result.references.actions}
    fixed = (result.references.best_fixed, result.references.chosen_fixed)
    lines = [f"## Reward `{result.problem.reward.form}`\n", *conditions(result), "", headroom(references, *fixed), ""]
    for protocol in ("online", "pretrained"):
        names = [name for name in shown_agents(result) if result.contestants[name].protocol == protocol]
        names.sort(key=lambda name: -metrics[name]["reward"]["mean"])
        lines += [
            f"| {protocol} | sees | reward [95 %] | minus best fixed | gap | textbook | right | $/session | p50, p95 "
            "| commits, wrongly |",
            "| --- " * 10 + "|",
            *(row(f"`{result.contestants[name].agent}`", metrics[name], result, name) for name in names),
        ]
        if protocol == "pretrained":
            lines += [row(name, metrics[name]) for name in references]
        lines.append("")
    lines += [f"- `{name}` {result.verdicts[name]}" for name in shown_agents(result)]
    lines += [f"- `{name}` failed: {line}" for name, line in result.failures.items()]
    return "\n".join([*lines, ""])


def shown_agents(result: Comparison) -> list[str]:
    """Return the agents with a row of their own: the textbook settings have a column, and rows rank by reward."""
    return [name for name in result.ranked if not name.startswith(TEXTBOOK_ROW)]


def row(name: str, metrics: Any, result: Comparison | None = None, agent: str = "") -> str:
    """Return one row of a page's table; a gap is bold where the best fixed LLM is clearly beaten."""
    sees, textbook = "", "-"
    if result is not None:
        sees = result.contestants[agent].observation
        other = result.metrics.get(TEXTBOOK_ROW + agent)
        textbook = gap(other["all"]) if other else "-"
    seconds = [metrics[key]["mean"] for key in ("latency_p50_s", "latency_p95_s")]
    latency = "-" if None in seconds else ", ".join(f"{1000 * second:.0f}" for second in seconds) + " ms"
    commits = [metrics[key]["mean"] for key in ("committed", "wrong_commit")]
    committed = "-" if not commits[0] else ", ".join(f"{share:.0%}" for share in commits)
    return (
        f"| {name} | {sees} | {shown(metrics['reward'])} | {shown(metrics['reward_minus_best_fixed'], '+.3f')} "
        f"| {gap(metrics)} | {textbook} | {metrics['accuracy']['mean']:.3f} "
        f"| {shown({**metrics['session_cost_usd'], 'low': None}, '.2e')} | {latency} | {committed} |"
    )


def gap(metrics: Any) -> str:
    """Return the share of the gap to the oracle that is closed, bold where that is a clear gain."""
    share = metrics["oracle_gap_closed"]["mean"]
    text = "-" if share is None else f"{share:.0%}"
    return f"**{text}**" if is_clear_gain(metrics) else text


if __name__ == "__main__":
    typer.run(main)
