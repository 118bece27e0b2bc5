"""Pools: the LLMs to route between, where they are served, and what they cost."""

import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.tables.shipped import DATA

FlagValue = str | int | float | bool
MOST_BYTES = 65_536
# A prompt has at most as many tokens as bytes; this is for what a chat template puts around it.
_TEMPLATE_TOKENS = 256
# Dotted keys this deep take tomllib minutes.
_DEEP_KEY = re.compile(r"""(?<![\w"'-])(?:["'\w-]++[ \t]*+\.[ \t]*+){32}""")
_RANGES: dict[str, tuple[float, float]] = {
    "deadline_s": (1e-3, 1e6),
    "max_retries": (0, 100),
    "input_price_usd_per_mtok": (0, 1e9),
    "output_price_usd_per_mtok": (0, 1e9),
    "hardware_usd_per_hour": (0, 1e9),
    "max_tokens": (1, 1e9),
    "max_in_flight": (0, 1e9),
}


@dataclass(frozen=True)
class LLMSpec:
    """One LLM of a pool: an arm.

    Attributes:
        name: The arm's name, unique in the pool.
        input_price_usd_per_mtok: US dollars per million prompt tokens.
        output_price_usd_per_mtok: US dollars per million completion tokens.
        model: What vLLM loads: a folder relative to the TOML file, or a Hugging Face id.
        base_url: OpenAI-compatible endpoint, ending in "/v1". When given, the LLM is used there and never started.
        served_name: The model's name in requests; the arm's name when empty.
        api_key_env: Environment variable that holds the endpoint's key.
        max_tokens: Longest completion asked for.
        max_in_flight: Above 0, most requests that this LLM gets at once, whatever the others get.
        hardware_usd_per_hour: Above 0, a call costs its time on this hardware instead of its tokens.
        serve: vLLM flags of this LLM, over the pool's.
        environment: Environment variables of this LLM's server, over the pool's.
        features: Numbers that agents may know of it beside its prices, such as its parameters or a benchmark's score.
    """

    name: str
    input_price_usd_per_mtok: float
    output_price_usd_per_mtok: float
    model: str = ""
    base_url: str = ""
    served_name: str = ""
    api_key_env: str = ""
    max_tokens: int = 256
    max_in_flight: int = 0
    hardware_usd_per_hour: float = 0.0
    serve: Mapping[str, FlagValue] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)

    def cost_usd(self, prompt_tokens: int, completion_tokens: int, latency_s: float) -> float:
        """Return what one call costs in US dollars."""
        if self.hardware_usd_per_hour > 0:
            return self.hardware_usd_per_hour * latency_s / 3600
        prompt_usd = prompt_tokens * self.input_price_usd_per_mtok
        return (prompt_usd + completion_tokens * self.output_price_usd_per_mtok) / 1e6

    @property
    def is_priced_by_token(self) -> bool:
        """Whether what a call costs depends on its tokens."""
        prices = (self.input_price_usd_per_mtok, self.output_price_usd_per_mtok)
        return self.hardware_usd_per_hour <= 0 and any(price > 0 for price in prices)

    def worst_usd(self, prompt: str, deadline_s: float) -> float:
        """Return the most that one request can cost in US dollars."""
        return self.cost_usd(len(prompt.encode()) + _TEMPLATE_TOKENS, self.max_tokens, deadline_s)


@dataclass(frozen=True)
class Pool:
    """The LLMs an agent routes between.

    Attributes:
        name: The pool's name.
        llms: One spec per arm; the action is the index.
        deadline_s: Longest time one call may take, its wait for a place in flight and its retries included.
        max_retries: How often a request is sent again after a fault that may pass, see `backends/retries.py`; 0: never.
        path: The TOML file it was read from.
        serve: vLLM flags of every server, e.g. {"max-model-len": 256, "enforce-eager": True}.
        environment: Environment variables of every server.
    """

    name: str
    llms: tuple[LLMSpec, ...]
    deadline_s: float = 60.0
    max_retries: int = 2
    path: Path | None = None
    serve: Mapping[str, FlagValue] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def llm_names(self) -> tuple[str, ...]:
        """The arms' names, in action order."""
        return tuple(llm.name for llm in self.llms)

    def model_path(self, llm: LLMSpec) -> str:
        """Return what vLLM is told to load: an absolute folder if one lies beside the TOML file, else the id."""
        folder = (self.path.parent if self.path else Path()) / llm.model
        return str(folder.resolve()) if folder.is_dir() else llm.model


def shipped_pools() -> list[str]:
    """Return the names of the pools that come with the package."""
    return sorted(path.parent.name for path in DATA.glob("*/pool.toml"))


def load_pool(name_or_path: str | Path) -> Pool:
    """Load a shipped pool by name, or a pool from a TOML file.

    Raises:
        ValueError: One line naming the file, the key, what was expected and what was found.
    """
    is_shipped = str(name_or_path) in shipped_pools()
    path = DATA / str(name_or_path) / "pool.toml" if is_shipped else Path(name_or_path)
    if not os.path.isfile(path):
        raise unknown_name("pool", str(name_or_path), shipped_pools(), "Or give the path of a pool's TOML file.")
    document = _read_toml(path)
    llm_tables = document.pop("llm", None)
    if not isinstance(llm_tables, list) or not llm_tables:
        raise ValueError(f"{path}: expected at least one [[llm]] table, got {llm_tables!r}.")
    _check_keys(document, Pool, {"name"}, {"llms", "path"}, f"{path}")
    llms = tuple(_llm(table, f"{path}, [[llm]] {number}") for number, table in enumerate(llm_tables, start=1))
    names = [llm.name for llm in llms]
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: LLM names must be unique, got {names}.")
    return Pool(llms=llms, path=path.resolve(), **document)


def _llm(table: Any, where: str) -> LLMSpec:
    if not isinstance(table, dict):
        raise ValueError(f"{where}: expected a table, got {table!r}.")
    required = {"name", "input_price_usd_per_mtok", "output_price_usd_per_mtok"}
    if "hardware_usd_per_hour" in table:
        required = {"name"}
        table = {"input_price_usd_per_mtok": 0.0, "output_price_usd_per_mtok": 0.0} | table
    _check_keys(table, LLMSpec, required, set(), where)
    if not table.get("model") and not table.get("base_url"):
        raise ValueError(f"{where}: give model (to serve it) or base_url (to use a running endpoint).")
    if url := table.get("base_url"):
        _check_url(url, where)
    return LLMSpec(**table)


def _read_toml(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{path}: a pool's file has at most {MOST_BYTES} bytes, this one has more.")
    try:
        text = content.decode()
        if _DEEP_KEY.search(text):
            raise ValueError("keys are nested too deeply")
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a TOML file: {error}.") from error


def _check_url(url: str, where: str) -> None:
    if any(sign in url for sign in "@?#"):  # not quoted: it may hold a password
        raise ValueError(f"{where}: base_url may hold no '@', '?' or '#'; a key is named by api_key_env.")
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in url
    except ValueError:  # a port or an address that is none
        is_good = False
    if not is_good:
        raise ValueError(f"{where}: base_url must look like 'https://host/v1', got {url!r}.")


_TYPES: dict[Any, type | tuple[type, ...]] = {str: str, int: int, float: (int, float)}


def _check_keys(table: dict[str, Any], cls: type, required: set[str], internal: set[str], where: str) -> None:
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
    for key, value in table.get("environment", {}).items():
        if not isinstance(value, str):
            raise ValueError(f"{where}: environment.{key} must be a string, got {value!r}.")
    for key, value in table.get("features", {}).items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= 1e300:
            raise ValueError(f"{where}: features.{key} must be a finite number, got {value!r}.")
    if not _is_plain(table.get("serve", {})):
        raise ValueError(f"{where}: serve may hold texts, finite numbers, true, false, lists and tables only.")
    if not 1 <= len(table["name"]) <= 100 or not table["name"].strip("."):  # it names files
        raise ValueError(f"{where}: name must have 1 to 100 characters and not only dots, got {table['name']!r}.")


def _check_value(key: str, value: Any, kind: Any, where: str) -> None:
    expected = _TYPES.get(kind, dict)
    if not isinstance(value, expected) or isinstance(value, bool):
        name = "table" if expected is dict else getattr(kind, "__name__", "")
        raise ValueError(f"{where}: key {key!r} must be a {name}, got {value!r}.")
    if isinstance(value, str) and not value.isprintable():
        raise ValueError(f"{where}: key {key!r} must be text without control characters, got {value!r}.")


def _check_range(key: str, value: float, where: str) -> None:
    low, high = _RANGES[key]
    if not low <= value <= high:
        raise ValueError(f"{where}: {key} must be a number from {low:g} to {high:g}, got {value}.")


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
