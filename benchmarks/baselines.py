"""Every registered agent on a table, under both reward forms, beside the references.

    python benchmarks/baselines.py [--table nano]

Writes `results/baselines_<table>.json` and a page of the same name that says which agents beat the best fixed LLM.
"""

from typing import Annotated, Any

import typer
from results_file import save
from rich.progress import track

from llm_routing_env.agents import AGENTS
from llm_routing_env.envs.problem import load_table
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.references import BEST_FIXED, CONTEXT_BEST, ORACLE

SKIPPED = ("fixed",)  # stands in every table as "always <LLM>"


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path (with embeddings beside it).")] = "nano",
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 50,
    seed: int = 0,
) -> None:
    """Run every agent and write the page."""
    outcomes = load_table(table)
    pages, results = [], {}
    for reward in ("pickllm", "additive"):
        metrics: dict[str, Any] = {}
        for name in track([name for name in AGENTS if name not in SKIPPED], f"reward {reward}"):
            result = compare([name], n_sessions=sessions, seed=seed, table=table, reward=reward)
            metrics[name] = result.metrics[name]["all"]
        references = {name: result.metrics[name]["all"] for name in (BEST_FIXED, CONTEXT_BEST, ORACLE)}
        results[reward] = {"best_fixed_llm": result.references.best_fixed, "agents": metrics, "references": references}
        pages.append(page(reward, result.references.best_fixed, metrics, references))
    path = save("baselines", outcomes, results)
    title = f"# Every agent on {path.stem.removeprefix('baselines_')}\n\n"
    n_contexts = len(outcomes.contexts)
    about = f"{sessions} online sessions of at most 200 queries per context, {n_contexts} contexts, test split.\n\n"
    path.with_suffix(".md").write_text(title + about + "\n".join(pages), encoding="utf-8")
    print(f"wrote {path} and {path.with_suffix('.md')}")


def page(reward: str, best_fixed: str, agents: dict[str, Any], references: dict[str, Any]) -> str:
    """Return one reward form's table, the best agent first, and the verdict in words."""
    ordered = sorted(agents, key=lambda name: -agents[name]["reward"]["mean"])
    lines = [
        f"## Reward `{reward}`\n",
        "|  | reward [95 %] | gap closed | accuracy | regret |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, metrics in [*((f"`{name}`", agents[name]) for name in ordered), *references.items()]:
        r, gap = metrics["reward"], metrics["oracle_gap_closed"]
        lines.append(
            f"| {name} | {r['mean']:.3f} [{r['low']:.3f}, {r['high']:.3f}] | {gap['mean']:.0%} "
            f"| {metrics['accuracy']['mean']:.3f} | {metrics['regret']['mean']:.1f} |"
        )
    # Paired on the same sessions: the share of the gap closed is above 0 exactly where the agent beats the fixed LLM.
    better = [name for name in ordered if agents[name]["oracle_gap_closed"]["low"] > 0]
    others = [name for name in ordered if name not in better]
    lines.append(
        f"\nBetter than always {best_fixed} (the interval of the gap closed lies above 0): {', '.join(better)}."
    )
    lines.append(f"\nNo better than always {best_fixed}: {', '.join(others) or 'none'}.\n")
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
