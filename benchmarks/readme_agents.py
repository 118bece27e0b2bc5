"""The README's parts about agents: what they gain on each table, what that says, and the paper's claims."""

from collections.abc import Iterator
from typing import Any

from baselines import PUBLISHED_ROW, TEXTBOOK_ROW
from readme_tables import markdown, read

from llm_routing_env.evaluation.intervals import shown
from llm_routing_env.evaluation.references import CHOSEN_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.verdicts import is_clear_gain

TABLES = ("nano", "everyday", "cascades9", "mmlu_pro", "llmrouter9", "production3")
Row = dict[str, Any]


def baselines() -> str:
    """Return the share of the gap to the oracle that every agent closes, on every table."""
    results = {(table, form): of for table in TABLES for form, of in read("baselines", table)["result"].items()}
    agents: dict[tuple[str, str], dict[tuple[str, str], dict[str, Any]]] = {}
    for key, document in results.items():
        for row in _ranked(document):
            agents.setdefault((row["protocol"], row["agent"]), {})[key] = row["metrics"]
    lines = [
        (f"`{agent}`", protocol, *(_gap(of_agent.get(key, {})) for key in results))
        for (protocol, agent), of_agent in sorted(agents.items(), key=lambda item: _order(item[0], item[1]))
    ]
    references = [document["references"] for document in results.values()]
    oracle = [found[ORACLE]["metrics"]["reward_minus_best_fixed"]["mean"] for found in references]
    for name in (CHOSEN_FIXED, CONTEXT_BEST):
        lines.append((name, "", *(_gap(found[name]["metrics"]) for found in references)))
    lines.append(("oracle minus best fixed", "", *(f"{gap:.3f}" for gap in oracle)))
    header = ("agent", "protocol", *(f"{table}, {form}" for table, form in results))
    note = (
        "\nShare closed of the gap between the best fixed LLM in hindsight and the per-query oracle "
        "(`python benchmarks/baselines.py`); the gap itself is in the last line. Bold: better than that LLM by the "
        "95 % interval of the paired difference, over other queries and sessions or training seeds, and by 1 % of the "
        "gap. Negative: worse than always asking that one LLM. -: the table lacks what the agent needs.\n"
    )
    return markdown(header, lines) + "\n" + note


def _gap(metrics: dict[str, Any]) -> str:
    share = metrics["oracle_gap_closed"]["mean"] if metrics else None
    if share is None:
        return "-"
    return f"**{share:.0%}**" if is_clear_gain(metrics) else f"{share:.0%}"


def _order(name: tuple[str, str], of_agent: dict[tuple[str, str], dict[str, Any]]) -> tuple[str, float]:
    metrics = of_agent.get(("nano", "pickllm"))
    return name[0], -metrics["reward"]["mean"] if metrics else 0.0


def reading() -> str:
    """Return what the table of all agents says, in words, table by table."""
    lines = []
    for table in TABLES:
        for form, document in read("baselines", table)["result"].items():
            lines.append(f"- **{table}, `{form}`**: {_said(document)}")
    return "\n".join(lines) + "\n"


def _said(document: Row) -> str:
    clear = {protocol: list(_clear(document, protocol)) for protocol in ("online", "pretrained")}
    context = document["references"][CONTEXT_BEST]["metrics"]["oracle_gap_closed"]
    said = [f"knowing the context closes {shown(context, '.0f', 100)} % of the gap"]
    for protocol, winners in clear.items():
        rows = [row for row in _ranked(document) if row["protocol"] == protocol]
        best = max(rows, key=lambda row: row["metrics"]["reward"]["mean"])
        gap = shown(best["metrics"]["oracle_gap_closed"], ".0f", 100)
        counted = f"{len(winners)} of {len(rows)}" if winners else f"none of {len(rows)}"
        said.append(f"{counted} {protocol} agents beat always asking one LLM (the best, `{best['agent']}`: {gap} %)")
    return "; ".join(said) + "."


def _clear(document: Row, protocol: str) -> Iterator[str]:
    for row in _ranked(document):
        if row["protocol"] == protocol and is_clear_gain(row["metrics"]):
            yield row["agent"]


def _ranked(document: Row) -> list[Row]:
    """Return the rows that rank by reward, under the agents' defaults."""
    others = (TEXTBOOK_ROW, PUBLISHED_ROW)
    return [row for row in document["agents"] if row["maximises"] == "reward" and not row["name"].startswith(others)]


def paper() -> str:
    """Return the paper's two headline claims, measured on nano and on outcomes of larger LLMs."""
    lines = []
    for table in ("nano", "cascades9"):
        for row in read("headline", table)["result"]:
            lines.append(
                (
                    table,
                    row["reward_form"],
                    f"`{row['agent']}`",
                    row["dearest"].removeprefix("always "),
                    *(f"{shown(row[key], '.0f', 100)} %" for key in ("cost_saved", "latency_saved")),
                    f"{shown(row['accuracy_gain_over_dearest'], '+.1f', 100)} points",
                )
            )
    header = ("table", "reward", "agent", "dearest LLM", "cost saved", "latency saved against random", "accuracy")
    return markdown(header, lines) + "\n\nCost and accuracy are against always asking the dearest LLM.\n"


def convergence() -> str:
    """Return how the paper's learners commit, by their step size."""
    rows = read("convergence")["result"]
    chosen = [row for row in rows if row.get("normaliser", "running_minmax") == "running_minmax"]
    lines = [
        (
            row["reward_form"],
            f"`{row['agent']}`",
            f"{row.get('learning_rate', row.get('step_size'))}",
            *(f"{row[key]['mean']:.0%}" for key in ("committed", "wrong_commit")),
            "-" if (after := row["median_queries_to_commit"]["mean"]) is None else f"{after:.0f}",
            shown(row["reward"]),
        )
        for row in chosen
    ]
    header = ("reward", "agent", "step", "commit", "to a wrong LLM", "after (median of all)", "reward [95 %]")
    note = f"Sessions of {chosen[0]['length']} queries (`python benchmarks/convergence.py`):\n\n"
    return note + markdown(header, lines) + "\n"
