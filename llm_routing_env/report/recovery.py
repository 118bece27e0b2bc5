"""The table of what events did to agents, for terminal, page and benchmark."""

from collections.abc import Sequence

from llm_routing_env.evaluation.intervals import NOTHING, shown
from llm_routing_env.evaluation.recovery import TOLERANCE, WINDOW, Effect, Event
from llm_routing_env.evaluation.result import Comparison

ABOUT_RECOVERY = (
    "regret before, after: per query before the first event, and from then on. hurt: the share of sessions in which "
    f"the regret of the {WINDOW} queries after the event, as a share of that of choosing at random, is more than "
    f"{TOLERANCE:.0%} above that of the {WINDOW} before the first event, and as much above that of the same session "
    "without the scenario, which is not run live. back: the share that is hurt and that has, before the next event, "
    f"{WINDOW} queries as before; after: the median number of queries until these begin, of those hurt; >: most never "
    "come back."
)


def recovery_heads(result: Comparison) -> list[str]:
    """Return the heads of the columns after the agent's name."""
    heads = ["regret before", "regret after"]
    for events in result.events:
        heads += [f"hurt at {_named(events)}", "back", "after"]
    return [*heads, "sent to LLMs that were down"] if _has_outage(result) else heads


def recovery_cells(result: Comparison, name: str) -> list[str]:
    """Return what those columns say of an agent."""
    found = result.recovery[name]
    cells = [shown(found.before), shown(found.after)]
    for events, effect in zip(result.events, found.effects, strict=True):
        cells += effect_cells(effect, events)
    return [*cells, shown(found.to_failed, ".0f", 100) + " %"] if _has_outage(result) else cells


def effect_cells(effect: Effect | None, events: Sequence[Event]) -> list[str]:
    """Return hurt, back and after, as text.

    Args:
        effect: What an event did.
        events: The event, as it is in the sessions.
    """
    if effect is None:
        return ["–"] * 3
    most = min(event.most for event in events if event.most >= 0)  # the latest that one can be back
    is_none_hurt = not effect.hurt["mean"]
    median = "–" if is_none_hurt else f"> {most}" if effect.queries["mean"] is None else f"{effect.queries['mean']:.0f}"
    return [shown(effect.hurt, ".0f", 100) + " %", shown({**effect.back, "low": None}, ".0f", 100) + " %", median]


def _has_outage(result: Comparison) -> bool:
    return any(found.to_failed != NOTHING for found in result.recovery.values())


def _named(events: list[Event]) -> str:
    """Return when an event is, over all sessions."""
    first, last = min(event.first for event in events), max(event.last for event in events)
    return f"step {first}" if first == last else f"steps {first} to {last}"
