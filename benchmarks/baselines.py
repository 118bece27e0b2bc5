"""Every agent on a table, under both reward forms, beside the references.

    python benchmarks/baselines.py --table nano
    python benchmarks/baselines.py --table cascades9 --data FOLDER

Writes `results/baselines_<table>.json` and a page of the same name that says which agents beat the best fixed LLM.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from defaults import TEXTBOOK
from real_tables import rewards, where
from results_file import of_all_contexts, rounded, save
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
from llm_routing_env.tables.load import load_table

SKIPPED = ("fixed",)  # stands in every table as "always <LLM>"
TEXTBOOK_ROW = "textbook "
PUBLISHED_ROW = "published "
PUBLISHED: dict[str, dict[str, Any]] = {  # a paper's own rule where the default is ours, and UniRoute's second map
    "uniroute": {"map": "learned"},
    "ipo_router": {"weighting": "equal"},
    "pairwise_mf": {"weighting": "equal"},
    "tier_router": {"decide": "argmax"},
}
BLOCKS = Path(__file__).parents[1] / "results" / "blocks"
SB3 = ("ppo", "a2c", "dqn")
ABOUT = (
    "Weights 1, 0.5, 0.5. Online: a fresh learner per session, judged on every query it routes; intervals speak of "
    "other queries and other sessions. Pretrained: fitted on the train split (with feedback `full`, on the outcome of "
    "every LLM on each of its queries), judged on every query of the test split; intervals speak of other queries "
    "and, where training draws, of other training seeds. The two are different questions. Gap: the share closed of the "
    "gap between the best fixed LLM in hindsight and the oracle, under the defaults, which were chosen on the train "
    "split of nano's first recording (`benchmarks/defaults.py`); textbook: the same under the literature's setting. "
    "Bold: beats that LLM, by the interval and by 1 % of the gap.\n\n"
)
ALL = ",".join([*(name for name in AGENTS if name not in SKIPPED), *SB3])


def main(
    table: Annotated[str, typer.Option(help="A table's name.")] = "nano",
    data: Annotated[Path, typer.Option(help="Folder of the tables that have no name here, as NAME.parquet.")] = Path(),
    agents: Annotated[str, typer.Option(help="Agents, separated by commas.")] = ALL,
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 50,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    source: Annotated[str, typer.Option(help="Where the outcomes come from, for the page.")] = "",
    seed: int = 0,
) -> None:
    """Run every agent, with its default, textbook and published setting, and write the page."""
    place = where(table, data)
    everyone = under_every_setting(agents.split(","))
    pages, results = [], {}
    for form, options in rewards(table):
        setting = Setting({"table": place} | options, seed=seed)
        reasons = unable(everyone, setting)
        result = run([each for each in everyone if each.name not in reasons], setting, sessions, engine)
        results[form] = rounded(of_all_contexts(result.document()) | {"unable": reasons})
        pages.append(page(result) + "".join(left_out(reasons)))
    path = save("baselines", load_table(place), results)
    notes = f"Source: {source}\n\n" if source else ""
    path.with_suffix(".md").write_text(f"# Every agent on {table}\n\n{ABOUT}{notes}" + "\n".join(pages), "utf-8")
    print(f"wrote {path} and {path.with_suffix('.md')}")


def under_every_setting(agents: Sequence[str]) -> list[Contestant]:
    """Return agents under their defaults, then those that have them under the textbook's settings and as published."""
    others = {
        f"{row}{name}": values
        for row, of_agents in ((TEXTBOOK_ROW, TEXTBOOK), (PUBLISHED_ROW, PUBLISHED))
        for name, values in of_agents.items()
        if name in agents
    }
    return contestants([*agents, *(f"{row}={row.partition(' ')[2]}" for row in others)], others)


def unable(competitors: Sequence[Contestant], setting: Setting) -> dict[str, str]:
    """Return who lacks something in the table, by name, with what it is."""
    reasons = {}
    for each in competitors:
        try:
            each.check(setting.problem(each.observation))
        except ValueError as error:
            folder = load_table(setting.table).path.parent  # of this machine
            reasons[each.name] = str(error).replace(f"{folder}/", "")
    return reasons


def left_out(reasons: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each reason not to take part, with who has it."""
    for why in dict.fromkeys(reasons.values()):
        names = ", ".join(f"`{name}`" for name, reason in reasons.items() if reason == why)
        yield f"- {names} cannot take part: {why}\n"


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
    """Return the agents under their defaults: the textbook settings have a column, those as published another page."""
    return [name for name in result.ranked if not name.startswith((TEXTBOOK_ROW, PUBLISHED_ROW))]


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
