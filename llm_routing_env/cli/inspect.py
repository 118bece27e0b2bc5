"""`pickllm inspect`: what an outcome table has to teach."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.cli import options
from llm_routing_env.cli.columns import print_table
from llm_routing_env.cli.progress import working
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
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Say whether a table has anything to learn: means, references, headroom, and what the reward's weights do.

    Example: pickllm inspect nano --reward additive --weights 1,0.5,0 --out inspected
    """
    from llm_routing_env.envs.problem import RoutingProblem
    from llm_routing_env.evaluation.inspection import inspect_table

    console = Terminal(stderr=as_json, quiet=quiet, highlight=False)
    with working(console, "inspecting"):
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
        f"{escape(document['table'])}: {sizes['queries']} queries ({sizes['train']} train, {sizes['test']} test) x "
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
    _print_overall(console, document)
    console.print(_noise_line(document["repeat_noise"]), soft_wrap=True, style="dim")
    console.print("\n[bold]Mean reward by context[/] (bold: the best; accuracy, cost and latency: --json)\n")
    _print_by_context(console, document)
    console.print("\n[bold]Headroom[/]: mean rewards, and the share of the gap to the oracle that is closed\n")
    _print_headroom(console, document)
    for name in ("context_label", "embeddings"):
        console.print(f"{name.replace('_', ' ')}: {document[name]['judged']}", soft_wrap=True, style="dim")
    console.print("\n[bold]Trade-offs[/] of accuracy, cost and latency, whatever they are worth\n")
    _print_trade_offs(console, document["trade_offs"])
    console.print("\n[bold]Reward audit[/]: variance of the reward between LLM means within a context\n")
    _print_audit(console, document)
    console.print()
    for warning in document["warnings"]:
        console.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True)
    for line in _sweep_lines(document):
        console.print(line, soft_wrap=True)
    console.print(f"\n[bold]{escape(document['verdict'])}[/]", soft_wrap=True)


def _print_overall(console: Terminal, document: Document) -> None:
    overall = document["means"]["all"]
    some_failed = any(means["failed_share"] for means in overall.values())
    winners = list(document["context_best_llm"].values())
    rows = [
        [
            f"[bold]{escape(llm)}[/]" if llm == document["best_fixed_llm"] else escape(llm),
            f"#{number}",
            *([f"{means['failed_share']:.0%}"] if some_failed else []),
            _format(means["accuracy"], "{:.3f}"),
            _format(means["cost_usd"], "${:.2e}"),
            _format(means["latency_s"], "{:.3f} s"),
            _format(means["reward"], "{:.4f}"),
            str(winners.count(llm) or ""),
        ]
        for number, (llm, means) in enumerate(overall.items(), start=1)
    ]
    failed = ["failed"] if some_failed else []
    print_table(console, ("LLM", "#", *failed, "accuracy", "cost", "latency", "reward", "wins"), rows)


def _noise_line(noise: Document | None) -> str:
    if noise is None:
        return "one repeat: how much an LLM's outcomes of one query differ between runs cannot be known"
    return (
        f"repeats of one query on one LLM: standard deviation {noise['reward_sd']:.2g} in reward, "
        f"{noise['accuracy_sd']:.2g} in accuracy; {noise['session_reward_sd']:.2g} and "
        f"{noise['session_accuracy_sd']:.2g} in the mean of a session of {noise['session_length']} queries"
    )


def _print_by_context(console: Terminal, document: Document) -> None:
    """Print the mean rewards by context, of LLMs by their numbers in the table above."""
    llms, rows = list(document["means"]["all"]), []
    for context, best in document["context_best_llm"].items():
        cells = {llm: _format(document["means"][context][llm]["reward"], "{:.3f}") for llm in llms}
        rows.append([escape(context), *(f"[bold]{cell}[/]" if llm == best else cell for llm, cell in cells.items())])
    print_table(console, ("context", *(f"#{number + 1}" for number in range(len(llms)))), rows)


def _print_headroom(console: Terminal, document: Document) -> None:
    context, embeddings = document["context_label"], document["embeddings"]
    rows = [("context, halves", context, "context_best", context["gap_closed"], "halves")]
    if (by_split := context["by_table_split"]) is not None:
        rows.append(("context, splits", by_split, "context_best", _alone(by_split["gap_closed"]), ""))
    if "neighbours" in embeddings:
        share = embeddings["gap_closed"] or _alone(None)
        rows.append(("embeddings", embeddings, "neighbours", share, "interval"))
    cells = []
    for label, entry, name, share, kind in rows:
        values = (_format(entry[key], "{:.4f}") for key in (name, "best_fixed", "oracle"))
        spread = "" if share["low"] is None else f"{kind}: {100 * share['low']:.1f} to {100 * share['high']:.1f}"
        cells.append([label, *values, _format(share["mean"], "{:.1f} %", 100), spread])
    print_table(console, ("knowing", "reward", "best fixed", "oracle", "closed", "middle 95 %"), cells)


def _alone(mean: float | None) -> dict[str, float | None]:
    return {"mean": mean, "low": None, "high": None}


def _print_trade_offs(console: Terminal, found: Document) -> None:
    if "not_judged" in found:
        console.print(escape(found["not_judged"]), soft_wrap=True, style="dim")
        return
    kinds = {"single_llms": "one LLM", "per_context": "one per context", "per_query": "one per query (oracle)"}
    rows = []
    for name, words in kinds.items():
        judged = found[name]
        numbers = (f"{judged[measure]:.4f}" for measure in ("hypervolume", "expected_utility"))
        rows.append([words, str(len(judged["front"])), *numbers])
    print_table(console, ("choosing", "choices on the front", "hypervolume", "expected utility"), rows)
    lowest = ", ".join(f"{number:.3g}" for number in found["reference"])
    console.print(
        f"single LLMs on the front: {escape(', '.join(found['llms_on_front']))}\n"
        f"of accuracy, -cost / {found['cost_scale_usd']:.3g} $ and -log10(latency in ms); hypervolume above "
        f"({lowest}), utility over {found['n_preferences']} even preferences, by which choices are made",
        soft_wrap=True,
        style="dim",
    )


def _print_audit(console: Terminal, document: Document) -> None:
    rows = []
    for term, entry in document["audit"].items():
        changes = entry["best_changes_without_it"]
        rows.append(
            [
                term,
                f"{entry['weight']:g}",
                f"{entry['effect_variance']:.2e}",
                _format(entry["share"], "{:.1f} %", 100),
                "-" if changes is None else f"in {len(changes)} of {len(document['context_best_llm'])} contexts",
            ]
        )
    print_table(console, ("term", "weight", "variance", "share", "without it the best LLM changes"), rows)


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


def _format(value: float | None, form: str, factor: float = 1.0) -> str:
    return "-" if value is None else form.format(value * factor)
