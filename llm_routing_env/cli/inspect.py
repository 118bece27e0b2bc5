"""`pickllm inspect`: what an outcome table has to teach."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.cli import options
from llm_routing_env.terminal import Terminal

Document = dict[str, Any]


def inspect(
    table: Annotated[str, typer.Argument(help=options.TABLE_HELP)] = options.TABLE,
    split: options.Split = "all",
    reward: options.RewardForm = options.FORM,
    weights: options.Weights = options.WEIGHTS,
    scorer: options.Scorer = None,
    seed: Annotated[int, typer.Option(help="Of random halves, folds and resamples.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the document and the figures.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Say whether a table has anything to learn: means, references, headroom, and what the reward's weights do."""
    from llm_routing_env.envs.problem import RoutingProblem
    from llm_routing_env.evaluation.inspection import inspect_table

    console = Terminal(stderr=as_json, highlight=False)
    with console.status("inspecting"):
        problem = RoutingProblem(
            table,
            split=split,
            observation="none",
            reward=reward,
            weights=options.parse_weights(weights),
            scorer=scorer,
        )
        document = inspect_table(problem, seed=seed)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _print(console, document)
    if out is not None:
        from llm_routing_env.evaluation.inspection_plots import write_sweep_figure
        from llm_routing_env.evaluation.trade_off_plot import write_trade_off_figure

        written = [write_sweep_figure(document, out), write_trade_off_figure(document, out)]
        with replacing(out / "inspection.json") as new:
            new.write_text(json.dumps(document, indent=2), encoding="utf-8")
        figures = " and ".join(escape(str(path)) for path in written if path is not None)
        console.print(f"wrote {escape(str(out / 'inspection.json'))}, {figures}", soft_wrap=True)


def _print(console: Terminal, document: Document) -> None:
    sizes = document["sizes"]
    console.print(
        f"\n{escape(document['table'])}: {sizes['queries']} queries ({sizes['train']} train, {sizes['test']} test) x "
        f"{sizes['llms']} LLMs x {sizes['repeats']} repeats, {len(sizes['contexts'])} contexts, "
        f"{sizes['failed_calls']} failed calls",
        soft_wrap=True,
    )
    console.print(
        f"reward {document['reward']!r}, weights {document['weights']}, scorer {escape(document['scorer'])}, "
        f"split {document['split']}"
    )
    for note in filter(None, (*document["notes"], document["not_judged"], document["not_read"])):
        console.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)
    console.print("\n[bold]Means over all queries[/] (bold: best fixed LLM; wins: contexts it is best in)\n")
    console.print(_overall(document))
    console.print(_noise_line(document["repeat_noise"]), soft_wrap=True, style="dim")
    console.print("\n[bold]Mean reward by context[/] (bold: the best; accuracy, cost and latency: --json)\n")
    console.print(*_by_context(document, console.width), sep="\n")
    console.print("\n[bold]Headroom[/]: mean rewards, and the share of the gap to the oracle that is closed\n")
    console.print(_headroom(document))
    for name in ("context_label", "embeddings"):
        console.print(f"{name.replace('_', ' ')}: {document[name]['judged']}", soft_wrap=True, style="dim")
    console.print("\n[bold]Trade-offs[/] of accuracy, cost and latency, whatever they are worth\n")
    _print_trade_offs(console, document["trade_offs"])
    console.print("\n[bold]Reward audit[/]: variance of the reward between LLM means within a context\n")
    console.print(_audit(document))
    console.print()
    for warning in document["warnings"]:
        console.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True)
    for line in _sweep_lines(document):
        console.print(line, soft_wrap=True)
    console.print(f"\n[bold]{escape(document['verdict'])}[/]", soft_wrap=True)


def _overall(document: Document) -> Table:
    overall = document["means"]["all"]
    some_failed = any(means["failed_share"] for means in overall.values())
    table = _table("LLM", "#", *(["failed"] if some_failed else []), "accuracy", "cost", "latency", "reward", "wins")
    winners = list(document["context_best_llm"].values())
    for number, (llm, means) in enumerate(overall.items(), start=1):
        table.add_row(
            f"[bold]{escape(llm)}[/]" if llm == document["best_fixed_llm"] else escape(llm),
            f"#{number}",
            *([f"{means['failed_share']:.0%}"] if some_failed else []),
            _format(means["accuracy"], "{:.3f}"),
            _format(means["cost_usd"], "${:.2e}"),
            _format(means["latency_s"], "{:.3f} s"),
            _format(means["reward"], "{:.4f}"),
            str(winners.count(llm) or ""),
        )
    return table


def _noise_line(noise: Document | None) -> str:
    if noise is None:
        return "one repeat: how much an LLM's outcomes of one query differ between runs cannot be known"
    return (
        f"repeats of one query on one LLM: standard deviation {noise['reward_sd']:.2g} in reward, "
        f"{noise['accuracy_sd']:.2g} in accuracy; {noise['session_reward_sd']:.2g} and "
        f"{noise['session_accuracy_sd']:.2g} in the mean of a session of {noise['session_length']} queries"
    )


def _by_context(document: Document, width: int) -> list[Table]:
    """Return the mean rewards by context, as many LLMs side by side as fit, by their numbers in the table above."""
    llms = list(document["means"]["all"])
    wide = max(map(len, document["context_best_llm"])) + 2
    fit = max((width - wide) // 9, 1)
    tables = []
    for start in range(0, len(llms), fit):
        shown = llms[start : start + fit]
        table = _table("context", *(f"#{number}" for number in range(start + 1, start + len(shown) + 1)))
        for context, best in document["context_best_llm"].items():
            means = document["means"][context]
            cells = {llm: _format(means[llm]["reward"], "{:.3f}") for llm in shown}
            table.add_row(
                escape(context), *(f"[bold]{cell}[/]" if llm == best else cell for llm, cell in cells.items())
            )
        tables.append(table)
    return tables


def _headroom(document: Document) -> Table:
    table = _table("knowing", "reward", "best fixed", "oracle", "closed", "middle 95 %")
    context, embeddings = document["context_label"], document["embeddings"]
    rows = [("context, halves", context, "context_best", context["gap_closed"], "halves")]
    if (by_split := context["by_table_split"]) is not None:
        rows.append(("context, splits", by_split, "context_best", _alone(by_split["gap_closed"]), ""))
    if "neighbours" in embeddings:
        share = embeddings["gap_closed"] or _alone(None)
        rows.append(("embeddings", embeddings, "neighbours", share, "interval"))
    for label, entry, name, share, kind in rows:
        values = (_format(entry[key], "{:.4f}") for key in (name, "best_fixed", "oracle"))
        spread = "" if share["low"] is None else f"{kind}: {100 * share['low']:.1f} to {100 * share['high']:.1f}"
        table.add_row(label, *values, _format(share["mean"], "{:.1f} %", 100), spread)
    return table


def _alone(mean: float | None) -> dict[str, float | None]:
    return {"mean": mean, "low": None, "high": None}


def _print_trade_offs(console: Terminal, found: Document) -> None:
    if "not_judged" in found:
        console.print(escape(found["not_judged"]), soft_wrap=True, style="dim")
        return
    table = _table("choosing", "choices on the front", "hypervolume", "expected utility")
    rows = {"single_llms": "one LLM", "per_context": "one per context", "per_query": "one per query (oracle)"}
    for name, words in rows.items():
        judged = found[name]
        numbers = (f"{judged[measure]:.4f}" for measure in ("hypervolume", "expected_utility"))
        table.add_row(words, str(len(judged["front"])), *numbers)
    console.print(table)
    lowest = ", ".join(f"{number:.3g}" for number in found["reference"])
    console.print(
        f"single LLMs on the front: {escape(', '.join(found['llms_on_front']))}\n"
        f"of accuracy, -cost / {found['cost_scale_usd']:.3g} $ and -log10(latency in ms); hypervolume above "
        f"({lowest}), utility over {found['n_preferences']} even preferences, by which choices are made",
        soft_wrap=True,
        style="dim",
    )


def _audit(document: Document) -> Table:
    table = _table("term", "weight", "variance", "share", "without it the best LLM changes")
    for term, entry in document["audit"].items():
        changes = entry["best_changes_without_it"]
        table.add_row(
            term,
            f"{entry['weight']:g}",
            f"{entry['effect_variance']:.2e}",
            _format(entry["share"], "{:.1f} %", 100),
            "-" if changes is None else f"in {len(changes)} of {len(document['context_best_llm'])} contexts",
        )
    return table


def _sweep_lines(document: Document) -> list[str]:
    """Return for each weight in how many contexts the best LLM changes between a hundredth and a hundred times it."""
    lines = []
    for term, swept in document["sweep"].items():
        moving = [context for context, best in swept["best"].items() if len(set(best)) > 1]
        low, high = swept["weights"][0], swept["weights"][-1]
        lines.append(
            f"With a weight on {term} from {low:g} to {high:g} the best LLM changes in {len(moving)} of "
            f"{len(swept['best'])} contexts."
        )
    return lines


def _table(first: str, *numbers: str) -> Table:
    """Return a table that cuts nothing: names that are too long go on in the next line."""
    # Names of one family differ at their ends only: there stand the numbers.
    table = Table(Column(first, overflow="fold"), box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True, vertical="bottom")
    return table


def _format(value: float | None, form: str, factor: float = 1.0) -> str:
    return "-" if value is None else form.format(value * factor)
