"""Every agent on a table, under both reward forms, beside the references.

    python benchmarks/baselines.py [--table nano]

Writes `results/baselines_<table>.json` and a page of the same name that says which agents beat the best fixed LLM.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from results_file import save
from rich.progress import Progress

from llm_routing_env.agents import AGENTS
from llm_routing_env.envs.problem import load_table
from llm_routing_env.evaluation.comparison import contestants, run_comparison
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.engines import make_engine
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.evaluation.verdicts import headroom

SKIPPED = ("fixed",)  # stands in every table as "always <LLM>"
BLOCKS = Path(__file__).parents[1] / "results" / "blocks"
SB3 = ("ppo", "a2c", "dqn")
ALL = ",".join([*(name for name in AGENTS if name not in SKIPPED), *SB3])


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path (with embeddings beside it).")] = "nano",
    agents: Annotated[str, typer.Option(help="Agents, separated by commas.")] = ALL,
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 50,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    source: Annotated[str, typer.Option(help="Where the outcomes come from, for the page.")] = "",
    seed: int = 0,
) -> None:
    """Run every agent and write the page."""
    outcomes = load_table(table)
    pages, results = [], {}
    for reward in ("pickllm", "additive"):
        setting = Setting({"table": table, "reward": reward}, seed=seed)
        result = run(agents.split(","), setting, sessions, engine)
        document = result.document()
        document["agents"] = [row for row in document["agents"] if row["context"] == "all"]
        document["references"] = {name: of_all["all"] for name, of_all in document["references"].items()}
        results[reward] = document
        pages.append(page(result))
    path = save("baselines", outcomes, results)
    label = path.stem.removeprefix("baselines_")
    n_contexts = len(outcomes.contexts)
    about = (
        f"# Every agent on {label}\n\n{sessions} sessions of at most 200 queries per context, {n_contexts} contexts, "
        f"{outcomes.n_llms} LLMs, test split, weights 1, 0.5, 0.5, defaults of every agent. "
        "Online: a fresh learner per session, judged on every query it routes. Pretrained: fitted on the train split; "
        "with feedback `full`, on the outcome of every LLM on each of its queries. The two are different questions.\n\n"
    )
    notes = "".join(f"{note}\n\n" for note in ([f"Source: {source}"] if source else []) + list(outcomes.notes))
    path.with_suffix(".md").write_text(about + notes + "\n".join(pages), encoding="utf-8")
    print(f"wrote {path} and {path.with_suffix('.md')}")


def run(agents: list[str], setting: Setting, sessions: int, engine: str) -> Comparison:
    """Compare the agents, with a progress bar; what was run before is taken from `results/blocks`."""
    with Progress(transient=True) as progress:
        bar = progress.add_task("", total=None)

        def show(name: str, done: int, total: int) -> None:
            description = f"{setting.options['reward']}: {name}"
            progress.update(bar, description=description, completed=done, total=total)

        return run_comparison(
            contestants(agents, {}),
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
    lines = [f"## Reward `{result.problem.reward.form}`\n", headroom(references, result.references.best_fixed), ""]
    for protocol in ("online", "pretrained"):
        names = [name for name in result.agents if result.contestants[name].protocol == protocol]
        names.sort(key=lambda name: -metrics[name]["reward"]["mean"])
        lines += [
            f"| {protocol} | feedback | sees | reward [95 %] | minus best fixed | gap | right | $/session | regret |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *(row(f"`{result.contestants[name].agent}`", metrics[name], result.contestants[name]) for name in names),
        ]
        if protocol == "pretrained":
            lines += [row(name, metrics[name]) for name in references]
        lines.append("")
    lines += [f"- `{name}` {result.verdicts[name]}" for name in result.agents]
    lines += [f"- `{name}` failed: {line}" for name, line in result.failures.items()]
    return "\n".join([*lines, ""])


def row(name: str, metrics: Any, contestant: Any = None) -> str:
    """Return one row of a page's table."""
    feedback, sees = (contestant.feedback, contestant.observation) if contestant else ("", "")
    reward, gain, gap = metrics["reward"], metrics["reward_minus_best_fixed"], metrics["oracle_gap_closed"]["mean"]
    return (
        f"| {name} | {feedback} | {sees} | {reward['mean']:.3f} [{reward['low']:.3f}, {reward['high']:.3f}] "
        f"| {gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}] | {'-' if gap is None else f'{gap:.0%}'} "
        f"| {metrics['accuracy']['mean']:.3f} | {metrics['session_cost_usd']['mean']:.2e} "
        f"| {metrics['regret']['mean']:.1f} |"
    )


if __name__ == "__main__":
    typer.run(main)
