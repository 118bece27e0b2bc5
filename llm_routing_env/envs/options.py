"""What the environments take, each argument and each default written once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.rewards.forms import DEFAULT_FORM, DEFAULT_WEIGHTS
from llm_routing_env.tables.table import OutcomeTable

if TYPE_CHECKING:  # recorded sessions need none, and start sooner without
    from llm_routing_env.pools.pool import Pool
    from llm_routing_env.scenarios import Scenario

EPISODES = ("session", "query")
NEEDS_LIVE = "needs a live backend: recorded outcomes cost nothing, and nobody is asked for them"


@dataclass(frozen=True, kw_only=True)
class ProblemOptions:
    """What is routed, what is seen of it and what it is worth; `PickLLMEnv` says what each means."""

    table: str | Path | OutcomeTable = "nano"
    context: str | None = None
    split: str = "test"
    observation: str | NDArray[Any] = "embedding"
    reward: str = DEFAULT_FORM
    weights: Sequence[float] = DEFAULT_WEIGHTS
    scorer: str | None = None
    t_scaling: float = 1.0
    cost_scale_usd: float | None = None
    extra_terms: Mapping[str, float] | None = None
    scenario: str | Scenario | Sequence[Mapping[str, Any]] | None = None
    max_usd_per_query: float | None = None


@dataclass(frozen=True, kw_only=True)
class LiveOptions:
    """Whom a live session asks, and what it may spend; `PickLLMEnv` says what each means."""

    pool: str | Path | Pool | None = None
    max_in_flight: int | None = None
    stream: bool = False
    max_usd: float | None = None
    max_requests: int | None = None
    journal: str | Path | None = None
    resume: bool = False

    @property
    def given(self) -> dict[str, Any]:
        """The arguments that differ from their defaults."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


@dataclass(frozen=True, kw_only=True)
class MultiOptions:
    """How LLMs are asked one after another; `PickLLMMultiEnv` says what each means."""

    parallel: bool = False
    max_asks: int | None = None
    episode: str = "session"
    n_queries: int = SESSION_LENGTH
    measures: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check what needs no table."""
        if self.episode not in EPISODES:
            raise unknown_name("episode", self.episode, EPISODES)
        for name, value in (("n_queries", self.n_queries), ("max_asks", self.max_asks)):
            is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            if value is not None and not is_count:
                raise ValueError(f"{name} must be a whole number, 1 or more, got {value!r}.")
        if isinstance(self.measures, str):
            raise ValueError(f"measures must be a list of names, got {self.measures!r}.")


def problem_options(given: Mapping[str, Any]) -> ProblemOptions:
    """Return the arguments of a problem.

    Raises:
        UnknownArgumentError: For an unknown one; names the nearest known.
    """
    _require_known(given, [f.name for f in fields(ProblemOptions)])
    return ProblemOptions(**given)


def sort_options(given: Mapping[str, Any], own: Iterable[str]) -> tuple[dict[str, Any], LiveOptions]:
    """Return the arguments of an environment that are about the problem, and those about live LLMs.

    Args:
        given: The arguments.
        own: Names of further ones that the environment takes, for the message.

    Raises:
        UnknownArgumentError: For an unknown one; names the nearest known.
    """
    problem, live = ({f.name for f in fields(part)} for part in (ProblemOptions, LiveOptions))
    _require_known(given, [*problem, *live, *own])
    return (
        {name: value for name, value in given.items() if name in problem},
        LiveOptions(**{name: value for name, value in given.items() if name in live}),
    )


def multi_options(given: Mapping[str, Any], own: Iterable[str]) -> tuple[dict[str, Any], MultiOptions, LiveOptions]:
    """Return the arguments of an environment of several asks about the problem, the asks, and live LLMs.

    Args:
        given: The arguments.
        own: Names of further ones that the environment takes, for the message.

    Raises:
        UnknownArgumentError: For an unknown one; names the nearest known.
        ValueError: For one out of range.
    """
    names = [f.name for f in fields(MultiOptions)]
    multi = {name: value for name, value in given.items() if name in names}
    others = {name: value for name, value in given.items() if name not in names}
    problem, live = sort_options(others, (*own, *names))
    return {"reward": "additive"} | problem, MultiOptions(**multi), live


class UnknownArgumentError(TypeError, ValueError):
    """A keyword that no environment takes.

    A `ValueError` like all that is refused here, and the `TypeError` that Python raises: by its words TorchRL knows
    that the `frameskip` that it tries first is not wanted.
    """


def _require_known(given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            said = unknown_name("argument", name, sorted(known))
            raise UnknownArgumentError(f"{said} (unexpected keyword argument {name!r})")


def refuse_given(arguments: Mapping[str, Any], reason: str) -> None:
    """Raise ValueError if any argument was given."""
    for name, value in arguments.items():
        if value is not None and value is not False:
            raise ValueError(f"{name}={value!r} {reason}.")
