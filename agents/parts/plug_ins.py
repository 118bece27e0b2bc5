"""Other people's code by name: "my_package.my_module:name"."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_folder: str | None = None


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
        return getattr(import_plug_in(module_name), attribute)
    except ModuleNotFoundError as error:
        hint = f" Without .py: {module_name.removesuffix('.py')}:{attribute}." if module_name.endswith(".py") else ""
        hint = hint or f" Is {error.name} installed?"
        raise ValueError(f"Cannot load {kind} {name!r}: {error}.{hint}") from error
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"Cannot load {kind} {name!r}: {error}.") from error
    except Exception as error:  # somebody's file, and whatever is wrong with it
        raise ValueError(f"Cannot load {kind} {name!r}: {type(error).__name__}: {error}.") from error


def import_plug_in(module_name: str) -> ModuleType:
    """Import a module; one that is not installed may lie in the folder of `found_in`.

    That folder is searched, last, while this import runs and never else: packages look for others that need not be
    installed, and what lies beside a table must not answer for those. So a plug-in imports its neighbours at its top.
    """
    folder = _folder
    if folder is None or folder in sys.path or _is_installed(module_name.partition(".")[0], folder):
        return importlib.import_module(module_name)
    sys.path.append(folder)
    try:
        return importlib.import_module(module_name)
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


@contextmanager
def found_in(folder: str | None) -> Iterator[None]:
    """Let plug-ins lie in a folder for the length of the block; None: in none."""
    global _folder
    before, _folder = _folder, folder
    try:
        yield
    finally:
        _folder = before


def plug_in_folder() -> str | None:
    """Return the folder of `found_in`, for a process elsewhere that is to find the same plug-ins."""
    return _folder


def _is_installed(package: str, folder: str) -> bool:
    """Say whether a package comes from anywhere but the folder."""
    if package in sys.modules and sys.modules[package].__spec__ is None:
        return True  # the program that runs
    spec = find_spec(package)
    places = [] if spec is None else [*(spec.submodule_search_locations or []), spec.origin]
    return any(place and not Path(place).is_relative_to(folder) for place in places)
