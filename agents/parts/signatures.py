"""What constructors and methods of agents take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def hyperparameters_of(constructor: Callable[..., Any]) -> dict[str, Any]:
    """Return what a constructor takes by name after the task, with defaults; every agent takes sessions and seed."""
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name: p.default for p in parameters if p.kind in by_name and p.name not in ("n_sessions", "seed")}


def takes(function: Callable[..., Any], argument: str) -> bool:
    """Say whether a function takes an argument of this name, be it in ``**kwargs``."""
    parameters = inspect.signature(function).parameters
    return argument in parameters or any(given.kind is given.VAR_KEYWORD for given in parameters.values())


def given_mask(select_action: Callable[..., Any], mask: Any) -> dict[str, Any]:
    """Return the mask as keyword argument of a `select_action`, which need not take one while all LLMs are available.

    Raises:
        ValueError: If it takes none, and there is one.
    """
    if mask is None:
        return {}
    if not takes(select_action, "action_mask"):
        raise ValueError(f"{select_action.__qualname__} must take action_mask where LLMs may be unavailable.")
    return {"action_mask": mask}
