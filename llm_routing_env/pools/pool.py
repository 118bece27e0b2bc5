"""Pools: the LLMs to route between, where they are served, and what they cost."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.cache import cache_dir
from llm_routing_env.pools.check import check_keys, check_limit, check_request, check_url
from llm_routing_env.pools.llm_spec import FlagValue, LLMSpec
from llm_routing_env.tables.shipped import DATA

__all__ = ["LLMSpec", "Pool", "load_pool", "shipped_pools"]

MOST_BYTES = 65_536
# Dotted keys this deep take tomllib minutes.
_DEEP_KEY = re.compile(r"""(?<![\w"'-])(?:["'\w-]++[ \t]*+\.[ \t]*+){32}""")


@dataclass(frozen=True)
class Pool:
    """The LLMs an agent routes between.

    Attributes:
        name: The pool's name.
        llms: One spec per arm; the action is the index.
        deadline_s: Longest time one request may take; in a live session also its wait for a place and its retries.
        max_retries: How often a request is sent again after a fault that may pass, see `backends/faults.py`; 0: never.
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
        """Return what vLLM is told to load: a folder beside the TOML file or among fetched weights, else the id."""
        folders = ((self.path.parent if self.path else Path()) / llm.model, cache_dir("weights") / llm.model)
        return next((str(folder.resolve()) for folder in folders if folder.is_dir()), llm.model)


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
        raise ValueError(f"{path}: expected at least one [[llm]] table, got {_kind(llm_tables)}.")
    check_keys(document, Pool, {"name"}, {"llms", "path"}, f"{path}")
    llms = tuple(_llm(table, f"{path}, [[llm]] {number}") for number, table in enumerate(llm_tables, start=1))
    names = [llm.name for llm in llms]
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: LLM names must be unique, got {names}.")
    return Pool(llms=llms, path=path.resolve(), **document)


def _llm(table: Any, where: str) -> LLMSpec:
    if not isinstance(table, dict):
        raise ValueError(f"{where}: expected a table, got {_kind(table)}.")
    required = {"name", "input_price_usd_per_mtok", "output_price_usd_per_mtok"}
    if "hardware_usd_per_hour" in table:
        required = {"name"}
        table = {"input_price_usd_per_mtok": 0.0, "output_price_usd_per_mtok": 0.0} | table
    check_keys(table, LLMSpec, required, set(), where)
    check_request(table, where)
    if not table.get("model") and not table.get("base_url"):
        raise ValueError(f"{where}: give model (to serve it) or base_url (to use a running endpoint).")
    if url := table.get("base_url"):
        check_url(url, where)
    llm = LLMSpec(**table)
    check_limit(llm, where)
    return llm


def _kind(value: Any) -> str:
    """Return what a value is, not the value: a table of an LLM may hold headers."""
    return {type(None): "none", dict: "a single [llm] table", list: "an empty list"}.get(type(value), "a value")


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
