"""What `ope.py` measured, as tables between the markers of docs/off-policy.md, and as a figure."""

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from readme_tables import ROOT, markdown, read

from llm_routing_env.evaluation.plots.style import INK, PALETTE, REFERENCE_LINE, legend_below, new_figure

PAGE, FIGURE = ROOT / "docs" / "off-policy.md", ROOT / "docs" / "ope_coverage.png"
SHOWN_TARGET = "best LLM by context"  # the one policy here that is worth finding


def write_page(document: dict[str, Any]) -> Path:
    """Rewrite the page's measured parts."""
    text = PAGE.read_text(encoding="utf-8")
    for name, part in (("ope", tables(document)), ("ope_reading", reading(document))):
        pattern = rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)"
        text, found = re.subn(pattern, lambda match, part=part: match[1] + part + match[2], text, flags=re.DOTALL)
        if not found:
            raise SystemExit(f"{PAGE} has no part called {name}")
    PAGE.write_text(text, encoding="utf-8")
    return PAGE


def ope() -> str:
    """Return the tables of the committed result."""
    return tables(read("ope")["result"])


def ope_reading() -> str:
    """Return what the tables of the committed result say."""
    return reading(read("ope")["result"])


def tables(document: dict[str, Any]) -> str:
    """Return a table of RMSE and coverage for each target policy, a row per logging policy."""
    entries = [one for one in document["estimates"] if one["measure"] == "reward"]
    estimators = list(dict.fromkeys(one["estimator"] for one in entries))
    parts = [
        f"{document['logs']:,} logs of {document['steps']} steps for each logging policy. A cell: RMSE of the mean "
        "reward, and how many of the 95 % intervals hold the truth: of the logs that have an interval, and how many "
        "have none stands before. In brackets: bias beyond four standard errors.\n"
    ]
    for target in dict.fromkeys(one["target"] for one in entries):
        of_target = [one for one in entries if one["target"] == target]
        rows = []
        for logging in dict.fromkeys(one["logging"] for one in of_target):
            cells = {one["estimator"]: one for one in of_target if one["logging"] == logging}
            any_of = cells[estimators[0]]
            missing = _ends(cells.values(), "without_interval")
            support = f"{any_of['median_effective_sample_size']:.0f}; {any_of['warned']:.0%}, {missing}"
            rows.append((logging, support, *(_cell(cells[name]) for name in estimators)))
        header = ("logging policy", "effective queries; logs warned of, without interval", *estimators)
        parts.append(f"Target policy: **{target}**, truth {of_target[0]['truth']:.3f}.\n\n{markdown(header, rows)}\n")
    return "\n".join(parts)


def _cell(one: dict[str, Any]) -> str:
    coverage = "–" if one["coverage"] is None else f"{one['coverage']:.0%}"
    is_biased = abs(one["bias"]) > 4 * one["bias_standard_error"]
    return f"{one['rmse']:.3f}, {coverage}" + (f" ({one['bias']:+.3f})" if is_biased else "")


def reading(document: dict[str, Any]) -> str:
    """Return the coverage in each case, in words."""
    of = partial(_ends, [one for one in document["estimates"] if one["measure"] == "reward"])
    uniform, sessions, greedy, exploring, committing = dict.fromkeys(one["logging"] for one in document["estimates"])
    effective = of("median_effective_sample_size", "{:.0f}", logging=greedy, target=SHOWN_TARGET)
    as_steps = of("coverage_if_steps_were_queries", logging=sessions, estimator="dr")
    lines = [
        f"{uniform}: {of(logging=uniform, estimator='dr')} of `dr`'s intervals hold the truth.",
        f"{sessions}: {of(logging=sessions, estimator='dr')} for `dr`. Had the steps of a query counted as several: "
        f"{as_steps}.",
        f"{greedy}, {SHOWN_TARGET}: {effective} effective queries; {of(logging=greedy, target=SHOWN_TARGET, but='dm')} "
        "for all but `dm`.",
        f"{exploring}: {of(logging=exploring, but='dm')} for all but `dm`.",
        f"{committing}: {of(logging=committing, but='dm')} for all but `dm`, of the logs that have an interval; "
        f"{of('without_interval', logging=committing)} have none, {of('warned', logging=committing)} are warned of.",
        f"`dm`, whoever logs: {of(estimator='dm')}.",
    ]
    return "".join(f"- {line}\n" for line in lines)


def _ends(
    entries: Iterable[dict[str, Any]], key: str = "coverage", form: str = "{:.0%}", but: str = "", **wanted: str
) -> str:
    """Return the lowest and the highest value of some estimates."""
    found = [
        one[key]
        for one in entries
        if one["estimator"] != but and all(one[name] == value for name, value in wanted.items())
    ]
    known = [value for value in found if value is not None]
    return " to ".join(dict.fromkeys(form.format(pick(known)) for pick in (min, max)))


def write_figure(document: dict[str, Any]) -> Path:
    """Draw RMSE and coverage of every estimator, a colour per logging policy, for one target policy."""
    entries = [one for one in document["estimates"] if (one["measure"], one["target"]) == ("reward", SHOWN_TARGET)]
    estimators = list(dict.fromkeys(one["estimator"] for one in entries))
    figure = new_figure(8.0, 3.4)
    axes = figure.subplots(1, 2, sharey=True)
    loggings = list(dict.fromkeys(one["logging"] for one in entries))
    for number, logging in enumerate(loggings):
        cells = {one["estimator"]: one for one in entries if one["logging"] == logging}
        y = np.arange(len(estimators)) + 0.13 * (number - (len(loggings) - 1) / 2)
        style = {"color": PALETTE[number], "ls": "", "marker": "osD^v"[number], "ms": 5, "label": logging}
        axes[0].plot([cells[name]["rmse"] for name in estimators], y, **style)
        axes[1].plot([100 * (cells[name]["coverage"] or np.nan) for name in estimators], y, **style)
    axes[0].set_yticks(range(len(estimators)), estimators)
    axes[0].invert_yaxis()
    axes[0].set_xlabel("RMSE of the mean reward")
    axes[0].set_xlim(left=0)
    axes[1].axvspan(92, 98, color="#ececec", lw=0, zorder=0)
    axes[1].axvline(95, **REFERENCE_LINE)
    axes[1].set_xlabel("intervals that hold the truth, % (grey: 92 to 98)", color=INK)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="#ececec", lw=0.8, axis="x")
        axis.set_axisbelow(True)
    legend_below(figure, axes[0].lines)
    figure.savefig(FIGURE, dpi=160)
    return FIGURE
