"""Checks of a pool's TOML: its keys, their types and ranges, and what is to be sent."""

import math
import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.pools.keys import key_fault
from llm_routing_env.pools.llm_spec import LLMSpec

_RANGES: dict[str, tuple[float, float]] = {
    "deadline_s": (1e-3, 1e6),
    "max_retries": (0, 100),
    "input_price_usd_per_mtok": (0, 1e9),
    "output_price_usd_per_mtok": (0, 1e9),
    "cached_price_usd_per_mtok": (0, 1e9),
    "max_request_usd": (0, 1e9),
    "requests_per_minute": (0, 1e9),
    "tokens_per_minute": (0, 1e12),
    "hardware_usd_per_hour": (0, 1e9),
    "max_tokens": (1, 1e9),
    "max_in_flight": (0, 1e9),
}
_TYPES: dict[Any, tuple[str, type | tuple[type, ...]]] = {
    str: ("text", str),
    int: ("whole number", int),
    int | None: ("whole number", int),
    float: ("number", (int, float)),
    float | None: ("number", (int, float)),
    Sequence[str]: ("list of texts", list),
}
# What these hold may be secret: errors get into logs.
_NOT_QUOTED = ("api_key_env", "headers", "headers_env", "query", "environment", "serve", "request")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# What the rest of the program decides, or would not understand the answer of.
_OWN_KEYS = ("model", "messages", "stream", "stream_options", "n")


def check_url(url: str, where: str) -> None:
    """Check that an address may be asked, and published."""
    if any(sign in url for sign in "@?#"):  # not quoted: it may hold a password
        raise ValueError(f"{where}: base_url may hold no '@', '?' or '#': api_key_env and query are for that.")
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in url
    except ValueError:  # a port or an address that is none
        is_good = False
    if not is_good:
        raise ValueError(f"{where}: base_url must look like 'https://host/v1', got {url!r}.")


def check_keys(table: dict[str, Any], cls: type, required: set[str], internal: set[str], where: str) -> None:
    """Check that a TOML table has only the fields of `cls`, all the required ones, each of its type and range."""
    known = {item.name: item for item in fields(cls) if item.name not in internal}
    for key, value in table.items():
        if key not in known:
            raise ValueError(f"{where}: {unknown_name('key', key, known)}")
        _check_value(key, value, known[key].type, where)
        if key in _RANGES:
            _check_range(key, value, where)
    for key in sorted(required - table.keys()):
        raise ValueError(f"{where}: key {key!r} is missing.")
    for name in ("environment", "headers", "headers_env", "query"):
        for key, value in table.get(name, {}).items():
            if not isinstance(value, str) or not value.isprintable():
                raise ValueError(f"{where}: {name}.{key} must be text without control characters.")
    _check_variables(table, where)
    for key, value in table.get("features", {}).items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= 1e300:
            raise ValueError(f"{where}: features.{key} must be a finite number, got {value!r}.")
    if fault := key_fault(table.get("serve", {})):
        raise ValueError(f"{where}: {fault}.")
    for name in ("serve", "request"):
        if not _is_plain(table.get(name, {})):
            raise ValueError(f"{where}: {name} may hold texts, finite numbers, true, false, lists and tables only.")
    if not 1 <= len(table["name"]) <= 100 or not table["name"].strip("."):  # it names files
        raise ValueError(f"{where}: name must have 1 to 100 characters and not only dots, got {table['name']!r}.")


def _check_variables(table: dict[str, Any], where: str) -> None:
    """Check what is looked up in the environment; the likeliest mistake is the key itself, so it is not quoted."""
    named = {"api_key_env": table.get("api_key_env", "")}
    named |= {f"headers_env.{header}": variable for header, variable in table.get("headers_env", {}).items()}
    for key, variable in named.items():
        if not _VARIABLE.fullmatch(variable) and (variable or key != "api_key_env"):
            raise ValueError(f"{where}: {key} must be the name of an environment variable, never the key itself.")


def check_request(table: dict[str, Any], where: str) -> None:
    """Check what is to be sent beside model and messages."""
    request, omitted = table.get("request", {}), table.get("omit", ())
    if not all(isinstance(key, str) for key in omitted):
        raise ValueError(f"{where}: omit must be a list of texts, got {omitted!r}.")
    for key in (*request, *omitted):
        if key in _OWN_KEYS:
            raise ValueError(f"{where}: {key!r} cannot be set or omitted; of a request, only what is not {_OWN_KEYS}.")
    for key in ("max_tokens", "max_completion_tokens"):
        if key in request and (type(request[key]) is not int or request[key] < 1):
            raise ValueError(f"{where}: request.{key} must be a whole number, 1 or more, got {request[key]!r}.")


def check_limit(llm: LLMSpec, where: str) -> None:
    """Check that the most that a request can cost is known: without it no budget could be kept."""
    if llm.is_priced_by_token and not llm.is_limited and llm.max_request_usd is None:
        raise ValueError(
            f"{where}: no max_tokens is sent, so a request may cost any price: omit less, set "
            "request.max_completion_tokens, or say what one costs at most with max_request_usd."
        )


def _check_value(key: str, value: Any, kind: Any, where: str) -> None:
    name, expected = _TYPES.get(kind, ("table", dict))
    if not isinstance(value, expected) or isinstance(value, bool):
        raise ValueError(f"{where}: key {key!r} must be a {name}{_got(key, value)}.")
    text = value if isinstance(value, str) else ""
    if key == "system":  # it may have lines
        text = text.replace("\n", "").replace("\t", "")
    if not text.isprintable():
        raise ValueError(f"{where}: key {key!r} must be text without control characters{_got(key, value)}.")


def _got(key: str, value: Any) -> str:
    return "" if key in _NOT_QUOTED else f", got {value!r}"


def _check_range(key: str, value: float, where: str) -> None:
    low, high = _RANGES[key]
    if not low <= value <= high:
        raise ValueError(f"{where}: {key} must be a number from {low:g} to {high:g}, got {value}.")


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
