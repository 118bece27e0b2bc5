"""Parts of docs/related.md: what the published systems earn, of one call and of several, and what they rest on."""

from typing import Any

from baselines import PUBLISHED, PUBLISHED_ROW
from compared import COMMANDS
from readme_tables import markdown, read

from llm_routing_env.evaluation.intervals import shown
from llm_routing_env.evaluation.references import CONTEXT_BEST
from llm_routing_env.rewards.reference_free import REFERENCE_FREE

RELATED = (
    *("uniroute", "hull_router", "ipo_router", "tier_router", "pairwise_mf", "llm_bandit"),
    *("smoothie", "awr_router", "barp", "knn_router"),
)


def related() -> str:
    """Return what the published systems' routers earn, also by their papers' own rules."""
    documents = {
        f"{table}, {form}": document
        for table in ("nano", "cascades9", "mmlu_pro")
        for form, document in read("baselines", table)["result"].items()
    }
    lines = []
    for agent in RELATED:
        lines.append((f"`{agent}`", *(_interval(_metrics(document, agent)) for document in documents.values())))
        if agent in PUBLISHED:
            setting = ", ".join(f'`{name}="{value}"`' for name, value in PUBLISHED[agent].items())
            rows = (_metrics(document, PUBLISHED_ROW + agent) for document in documents.values())
            lines.append((f"... {setting}", *map(_interval, rows)))
    known = [document["references"][CONTEXT_BEST]["metrics"] for document in documents.values()]
    lines.append((CONTEXT_BEST, *map(_interval, known)))
    lines.append(("best fixed LLM", *(document["best_fixed_llm"]["in_hindsight"] for document in documents.values())))
    return markdown(("agent", *documents), lines) + "\n"


def _metrics(document: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((row["metrics"] for row in document["agents"] if row["name"] == name), None)


def _interval(metrics: dict[str, Any] | None) -> str:
    return shown(metrics["oracle_gap_closed"], ".0f", 100) if metrics else "-"


def logged() -> str:
    """Return what is learned on nano from one outcome per query, beside all of them."""
    documents = {form: read("compare", f"nano_logged_{form}")["result"] for form in ("pickllm", "additive")}
    names = {"papers": '`awr_router@logged`, `advantage="return"`, as in the papers'}
    lines = [
        (
            names.get(row["name"], f"`{row['name']}`"),
            *(_interval(_metrics(of, row["name"])) for of in documents.values()),
        )
        for row in documents["pickllm"]["agents"]
    ]
    header = ("agent", *(f"nano, {form}" for form in documents))
    return markdown(header, lines) + "\n\n" + _command("nano_logged_pickllm")


def spending() -> str:
    """Return what agents spend on nano that were told a budget, and what they earn for it."""
    document = read("compare", "nano_budget")["result"]
    rows, lines = {row["name"]: row["metrics"] for row in document["agents"]}, []
    rows |= {name: row["metrics"] for name, row in document["references"].items() if name.startswith("always ")}
    for name, found in document["spending"]["rows"].items():
        if name in rows:
            lines.append(
                (
                    name if name.startswith("always ") else f"`{name}`",
                    f"{found['spent_usd']['mean']:.2e}",
                    f"{found['overshoot']:+.1%}",
                    f"{rows[name]['accuracy']['mean']:.3f}",
                    f"{found['at_equal_spend']:.3f}",
                    shown(found["gain"], "+.3f"),
                )
            )
    header = ("agent", "$ per query", "over the budget", "right", "mixture that costs as much", "gain")
    return markdown(header, lines) + "\n\n" + _command("nano_budget")


def _command(name: str) -> str:
    return f"```\n{COMMANDS[name]}\n```\n"


def asks() -> str:
    """Return what agents of several asks earn on nano, under three rewards."""
    found = read("asks_agents")["result"]
    settings = {name: {row["name"]: row for row in of["rows"]} for name, of in found["settings"].items()}
    lines = []
    for name, first in next(iter(settings.values())).items():
        if first["kind"] in ("asking", "variant") or name == "knn_router":
            shown_as = f"{name} (below)" if first["kind"] == "variant" else f"`{name}`"
            lines.append((shown_as, *(_asked(of[name]) if name in of else "failed" for of in settings.values())))
    note = (
        f"\n\n{found['sessions']} sessions per context, one training (`python benchmarks/asks_agents.py`). "
        "Gates: `advisor_gate` learning online, the same where it also sees `matching`, and fitted where it sees the "
        "whole embedding and `matching`.\n"
    )
    return markdown(("agent", *settings), lines) + note


def _asked(row: dict[str, Any]) -> str:
    n_asks = sum(n * share for n, share in enumerate(row["asks"], 1)) if row["asks"] else 1
    return f"{_interval(row)} ({n_asks:.1f})"


def onboarding() -> str:
    """Return what a new LLM is worth to `uniroute` after n probes, on nano and on cascades9."""
    nano, cascades = (read("onboarding", table)["result"]["rows"] for table in ("nano", "cascades9"))
    lines = [
        (
            str(mine["n"] or "all"),
            f"{mine['caution']:g}",
            f"{mine['change']:+.3f}",
            f"{mine['share']:.0%}",
            f"{other['change']:+.3f}",
            f"{other['worst']:+.3f}",
        )
        for mine, other in zip(nano, cascades, strict=True)
    ]
    header = ("n", "caution", "nano: change of reward", "share", "cascades9: change of reward", "cascades9: worst LLM")
    return markdown(header, lines) + "\n"


def without_labels() -> str:
    """Return what the scores without references are worth on nano's test queries."""
    lines = []
    for name, of in read("without_labels")["result"].items():
        by_context = of["auc_by_context"]
        ends = [pick(by_context, key=by_context.get) for pick in (min, max)]
        closed = sorted(share for of_form in of["closed"].values() for share in of_form.values())
        lines.append(
            (
                f"`{name}`" if name in REFERENCE_FREE else "the truth",
                f"{of['auc']:.2f}",
                *(f"{end} {by_context[end]:.2f}" if name in REFERENCE_FREE else "" for end in ends),
                f"{of['right_over_wrong']:.2f}",
                f"{of['best_of_all']:.2f}",
                f"{closed[0]:.0%} to {closed[-1]:.0%}",
            )
        )
    header = ("score", "AUC, all", "worst context", "best context", "right over wrong, within a query", "best of all")
    return markdown((*header, "a router trained on it closes"), lines) + "\n"
