"""The table of docs/scenarios.md that says what committing, exploring and starting anew do about an event."""

from typing import Any

from readme_tables import markdown, read

from llm_routing_env.evaluation.intervals import shown

SHOWN = (
    *("learning_automaton", "epsilon_greedy_q", "pursuit", "explore_then_commit"),
    *("ucb1", "sliding_window_ucb", "discounted_ucb", "exp3", "linear_reward_penalty"),
    *("learning_automaton recommits", "epsilon_greedy_q recommits"),
)


def comes_back() -> str:
    """Return what some agents do about a silent degradation and an outage, and what they lose where nothing changes."""
    found = read("scenarios")["result"]["pickllm"]
    (events,) = found["silent_degradation"]["recovery"]["events"]
    most = min(event["most"] for event in events)
    lines = []
    for name in SHOWN:
        (effect,) = found["silent_degradation"]["recovery"]["agents"][name]["effects"]
        down = found["outage"]["recovery"]["agents"][name]["to_failed"]["mean"]
        quiet = found["no scenario"]["agents"][name]
        committed = quiet["committed"]["mean"]
        lines.append(
            (
                f"`{name.partition(' ')[0]}`{name.removeprefix(name.partition(' ')[0])}",
                *_back(effect, most),
                f"{down:.0%}",
                shown(quiet["regret"], ".1f"),
                f"{committed:.0%}" if committed else "–",
            )
        )
    header = ("", "hurt", "of these back", "after", "sent to the LLM that is down", "regret of a session", "commits")
    note = (
        f"On nano, {found['no scenario']['sessions']} sessions of each context, reward `pickllm`: hurt, back and after "
        "in `silent_degradation`, queries sent in `outage`, the last two columns where nothing changes.\n\n"
    )
    return note + markdown(header, lines) + "\n"


def _back(effect: dict[str, Any], most: int) -> tuple[str, str, str]:
    """Return the share that is hurt, the share of these that is back, and after how many queries."""
    hurt, back, queries = (effect[name]["mean"] for name in ("hurt", "back", "queries"))
    if not hurt:
        return "0%", "–", "–"
    return f"{hurt:.0%}", f"{back / hurt:.0%}", f"> {most}" if queries is None else f"{queries:.0f} queries"
