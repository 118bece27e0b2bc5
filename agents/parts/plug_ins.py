"""Other people's code by name: "my_package.my_module:name"."""

from __future__ import annotations

import importlib
from typing import Any


def load(kind: str, name: str) -> Any:
    """Return what "module:attribute" names.

    Args:
        kind: What it is to be, for the message: "reward", "observation".
        name: The module as Python imports it, a colon, and a name in it.

    Raises:
        ValueError: If there is no such module, or no such name in it.
    """
    module_name, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"Cannot load {kind} {name!r}: {error}.") from error
