"""Reads scenarios: presets by name, TOML, plain lists of events, and functions of your own."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.scenarios.compose import composed
from llm_routing_env.scenarios.context_shift import ContextShift
from llm_routing_env.scenarios.event import Event
from llm_routing_env.scenarios.latency import Latency
from llm_routing_env.scenarios.load import Load
from llm_routing_env.scenarios.new_llm import NewLLM
from llm_routing_env.scenarios.noisy_scorer import NoisyScorer
from llm_routing_env.scenarios.outage import Outage
from llm_routing_env.scenarios.phases import Scenario, load_function
from llm_routing_env.scenarios.poisoned_feedback import PoisonedFeedback
from llm_routing_env.scenarios.presets import PRESETS
from llm_routing_env.scenarios.price import Price
from llm_routing_env.scenarios.quality import Quality
from llm_routing_env.scenarios.retired_llm import RetiredLLM
from llm_routing_env.scenarios.roles import Worth
from llm_routing_env.scenarios.table import Table

_KINDS: Sequence[type[Event]] = (
    *(Price, Latency, Load, Quality, Outage, NewLLM, RetiredLLM),
    *(ContextShift, NoisyScorer, PoisonedFeedback, Table),
)
EVENTS: Mapping[str, type[Event]] = {kind.kind: kind for kind in _KINDS}


def read_scenario(
    given: "str | Scenario | Sequence[Mapping[str, Any]]", llm_names: Sequence[str], worth: Worth
) -> Scenario:
    """Return what makes phases of a table's cells.

    Args:
        given: A preset's name; a TOML file with `[[events]]`; "my_module:my_scenario"; a list of events, each a mapping
            with "event" (a key of `EVENTS`) and its arguments; or the function itself.
        llm_names: The LLMs, in action order.
        worth: Returns each LLM's mean reward in cells: whose is the highest is the favourite.

    Raises:
        ValueError: One line: which event, what was expected and found.
    """
    if isinstance(given, str):
        if given in PRESETS:
            return _of_events(PRESETS[given], llm_names, worth, f"The scenario {given!r}")
        if given.endswith(".toml"):
            return _of_events(recorded_scenario(given), llm_names, worth, given)
        if ":" not in given:
            hint = "Or the path of a TOML file with [[events]], or my_module:my_scenario."
            raise unknown_name("scenario", given, PRESETS, hint)
        return load_function(given)
    return given if callable(given) else _of_events(given, llm_names, worth, "The scenario")


def recorded_scenario(given: "str | Scenario | Sequence[Mapping[str, Any]] | None") -> Any:
    """Return a scenario as logs keep it: a file's events, since it may change or go, and where a function is found."""
    if isinstance(given, str):
        return _from_toml(Path(given)) if given.endswith(".toml") else given
    if callable(given):
        name = getattr(given, "__qualname__", type(given).__qualname__)
        return f"{getattr(given, '__module__', type(given).__module__)}:{name}"
    return given


def _from_toml(path: Path) -> Any:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not TOML: {error}.") from None
    if document.keys() != {"events"}:
        raise ValueError(f"{path}: expected [[events]] and nothing else, found {', '.join(document) or 'nothing'}.")
    return document["events"]


def _of_events(given: Any, llm_names: Sequence[str], worth: Worth, where: str) -> Scenario:
    if not isinstance(given, Sequence) or not given:
        raise ValueError(f"{where}: expected a list of events, got {given!r:.60}.")
    events = [_event(each, f"{where}, event {number}") for number, each in enumerate(given, start=1)]
    return composed(events, where, llm_names, worth)


def _event(given: Any, where: str) -> Event:
    if not isinstance(given, Mapping) or "event" not in given:
        raise ValueError(f"{where}: expected a mapping with 'event' and its arguments, got {given!r:.80}.")
    if not isinstance(given["event"], str) or given["event"] not in EVENTS:
        raise ValueError(f"{where}: {unknown_name('event', given['event'], EVENTS)}")
    kind = EVENTS[given["event"]]
    known = {field.name: field for field in fields(kind)}
    for name in given.keys() - {"event"}:
        if name not in known:
            raise ValueError(f"{where}: {unknown_name('argument', name, known, 'Of the event ' + kind.kind + '.')}")
    for name, field in known.items():
        if name not in given and field.default is MISSING:
            raise ValueError(f"{where}: the event {kind.kind!r} needs {name!r}.")
    try:
        return kind(**{name: value for name, value in given.items() if name != "event"})
    except ValueError as fault:
        raise ValueError(f"{where} ({kind.kind}): {fault}.") from None
