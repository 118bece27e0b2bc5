"""The parts of docs/online-pays.md about the figures that were set out to be reached, and why some were missed."""

from collections.abc import Callable, Iterator

from lifelong_cases import OURS, Case, Row, cases, plain
from readme_tables import markdown, read

from llm_routing_env.evaluation.references import CONTEXT_BEST, ORACLE

WIDE = "on context+embedding32"
PULLS = 200_000
ON_NANO = 0.8
REACHED = "reached"


def reached() -> str:
    """Return the figures beside what came."""
    lines = [line for case in cases() for line in _reached(case)]
    speed = read("lifelong_speed")["result"]
    for row in speed["rows"]:
        what = f"nano, `{row['agent']} on {row['observation']}`, {speed['lifetimes']:,} lifetimes at once"
        said = REACHED if row["pulls_per_s"] >= PULLS else "missed"
        lines.append((what, f"{PULLS:,} pulls a processor's second", f"{row['pulls_per_s']:,}", said))
    head = ("table, protocol", "at least", "the best router, and `outcome_linear on context`", "")
    return markdown(head, lines) + "\n"


def _reached(case: Case) -> Iterator[tuple[str, str, str, str]]:
    if case.name == "cascades9, ratio":
        full = case.rows("pretrained")[0]["row"]
        most = case.gap(full)["mean"]
        asked = f"80 % of the best router that is shown every answer, `{full}` {case.told(full)}"
        yield _line(case, "lifelong", "7 %, interval above 0", lambda gap: gap["mean"] >= 0.07 and gap["low"] > 0)
        yield _line(case, "lifelong", asked, lambda gap: gap["mean"] >= 0.8 * most)
        yield _line(case, "online", "-3 %", lambda gap: gap["mean"] >= -0.03)
    elif case.name == "cascades9, additive":
        asked = "interval above -1 %, mean above 0"
        yield _line(case, "lifelong", asked, lambda gap: gap["low"] > -0.01 and gap["mean"] > 0)
    elif case.table == "nano":
        yield _line(case, "lifelong", f"{100 * ON_NANO:.0f} %", lambda gap: gap["mean"] >= ON_NANO)
    else:
        has_headroom = case.earns_more(ORACLE)
        asked = "-2 %, and above 0, as there is headroom" if has_headroom else "-2 %, as no headroom shows"
        yield _line(case, "lifelong", asked, lambda gap: gap["mean"] > 0 if has_headroom else gap["mean"] >= -0.02)


def _line(case: Case, protocol: str, asked: str, is_reached: Callable[[Row], bool]) -> tuple[str, str, str, str]:
    """Return a line of the table: who reaches the figure, of the best router and the one that was made for it."""
    ours = OURS if protocol == "lifelong" else f"outcome_linear {protocol}"
    shown = dict.fromkeys((case.rows(protocol)[0]["row"], ours))
    reach = [f"`{plain(name)}`" for name in shown if is_reached(case.gap(name))]
    said = REACHED if len(reach) == len(shown) else f"only by {reach[0]}" if reach else "missed"
    told = ", ".join(f"`{plain(name)}` {case.told(name)}" for name in shown)
    return f"{case.name}, {protocol}", asked, told, said


def misses() -> str:
    """Return of each case where a figure was missed what these runs show of why."""
    why = {"nano": _beyond, "superhard17": _short, "production3": _small}
    missed = [case for case in cases() if any(said != REACHED for *_, said in _reached(case))]
    lines = [f"- **{case.name}**: {why.get(case.table, _scarce)(case)}\n" for case in missed]
    return "".join(lines) or "None was missed.\n"


def _beyond(case: Case) -> str:
    full = case.rows("pretrained")[0]["row"]
    beyond = "the figure is beyond what the context says. " if case.gap(CONTEXT_BEST)["mean"] < ON_NANO else ""
    return (
        f"{beyond}Knowing the context closes {case.told(CONTEXT_BEST)}, `{OURS}` {case.told(OURS)}, `outcome_linear "
        f"{WIDE}` {case.told(f'outcome_linear {WIDE}')}, and whoever was shown every answer at most {case.told(full)}."
    )


def _scarce(case: Case) -> str:
    gap, llms, contexts = case.gap(OURS), case.found["llms"], case.found["contexts"]
    wide = f"outcome_linear {WIDE}"
    full, more = "linear_router on context", ""
    if case.row(wide):
        full, more = f"linear_router {WIDE}", f"`{wide}`, which sees more, closes {case.told(wide)}. "
    return (
        f"{contexts} contexts and {llms} LLMs are {contexts * llms} means to learn, from "
        f"{case.found['queries_before_judged']:,} answers before a router is judged. "
        f"`{full}` closes {case.told(full)} where it is fitted on the answers of all "
        f"{llms} LLMs to each train query, and {case.told('linear_router logged')} on one answer to each. {more}"
        f"Knowing the context closes {case.told(CONTEXT_BEST)}, and the interval of `{OURS}` is "
        f"{50 * (gap['high'] - gap['low']):.0f} points to either side."
    )


def _short(case: Case) -> str:
    llms, full = case.found["llms"], case.rows("pretrained")[0]["row"]
    return (
        f"{case.found['queries_before_judged']} train queries for {llms} LLMs, {case.found['queries_lived'][-1]} "
        f"queries in a whole life, so none can be asked more than a few times. Shown every answer, `{full}` closes "
        f"{case.told(full)}."
    )


def _small(case: Case) -> str:
    row = case.row(OURS)
    assert row is not None
    gained, spared = row["metrics"]["reward_minus_best_fixed"]["mean"], "outcome_thompson lives"
    best = case.found["best_fixed_llm"]
    return (
        f"knowing the context closes {case.told(CONTEXT_BEST)}, and the whole gap is {case.headroom:.3f} of reward. "
        f"`{OURS}` earns {gained:+.5f} a query beside the best fixed LLM: after the train split it sends "
        f"{100 * (1 - row['routing'][best]):.1f} % of its queries to others. `{plain(spared)}`, which starts a context "
        f"from the mean of the others, closes {case.told(spared)}."
    )
