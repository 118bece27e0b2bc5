"""Pools: the LLMs to route between, where they are served, and what they cost."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from llm_routing_env.errors import unknown_name

DATA = Path(__file__).parent / "data"
FlagValue = str | int | float | bool


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
        hardware_usd_per_hour: Above 0, a call costs its time on this hardware instead of its tokens.
        serve: vLLM flags of this LLM, over the pool's.
        environment: Environment variables of this LLM's server, over the pool's.
    """

    name: str
    input_price_usd_per_mtok: float
    output_price_usd_per_mtok: float
    model: str = ""
    base_url: str = ""
    served_name: str = ""
    api_key_env: str = ""
    max_tokens: int = 256
    hardware_usd_per_hour: float = 0.0
    serve: Mapping[str, FlagValue] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def cost_usd(self, prompt_tokens: int, completion_tokens: int, latency_s: float) -> float:
        """Return what one call costs in US dollars."""
        if self.hardware_usd_per_hour > 0:
            return self.hardware_usd_per_hour * latency_s / 3600
        prompt_usd = prompt_tokens * self.input_price_usd_per_mtok
        return (prompt_usd + completion_tokens * self.output_price_usd_per_mtok) / 1e6


@dataclass(frozen=True)
class Pool:
    """The LLMs an agent routes between.

    Attributes:
        name: The pool's name.
        llms: One spec per arm; the action is the index.
        deadline_s: Longest time one call may take.
        path: The TOML file it was read from.
        serve: vLLM flags of every server, e.g. {"max-model-len": 256, "enforce-eager": True}.
        environment: Environment variables of every server.
    """

    name: str
    llms: tuple[LLMSpec, ...]
    deadline_s: float = 60.0
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
    path = DATA / str(name_or_path) / "pool.toml"
    if not path.is_file():
        path = Path(name_or_path)
        if not path.is_file():
            raise unknown_name("pool", str(name_or_path), shipped_pools(), "Or give the path of a pool's TOML file.")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a TOML file: {error}.") from error
    llm_tables = document.pop("llm", None)
    if not isinstance(llm_tables, list) or not llm_tables:
        raise ValueError(f"{path}: expected at least one [[llm]] table, got {llm_tables!r}.")
    _check_keys(document, Pool, {"name"}, {"llms", "path"}, f"{path}")
    llms = tuple(_llm(table, f"{path}, [[llm]] {number}") for number, table in enumerate(llm_tables, start=1))
    names = [llm.name for llm in llms]
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: LLM names must be unique, got {names}.")
    if not document.get("deadline_s", 1) > 0:
        raise ValueError(f"{path}: deadline_s must be above 0, got {document['deadline_s']}.")
    return Pool(llms=llms, path=path.resolve(), **document)


def _llm(table: Any, where: str) -> LLMSpec:
    if not isinstance(table, dict):
        raise ValueError(f"{where}: expected a table, got {table!r}.")
    required = {"name", "input_price_usd_per_mtok", "output_price_usd_per_mtok"}
    if "hardware_usd_per_hour" in table:
        required = {"name"}
        table = {"input_price_usd_per_mtok": 0.0, "output_price_usd_per_mtok": 0.0} | table
    _check_keys(table, LLMSpec, required, set(), where)
    for key in ("input_price_usd_per_mtok", "output_price_usd_per_mtok", "hardware_usd_per_hour"):
        if not 0 <= table.get(key, 0) < math.inf:
            raise ValueError(f"{where}: {key} must be a finite number of US dollars, 0 or more, got {table[key]}.")
    if table.get("max_tokens", 1) < 1:
        raise ValueError(f"{where}: max_tokens must be 1 or more, got {table['max_tokens']}.")
    if not table.get("model") and not table.get("base_url"):
        raise ValueError(f"{where}: give model (to serve it) or base_url (to use a running endpoint).")
    if url := table.get("base_url"):
        parts = urlparse(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{where}: base_url must look like 'https://host/v1', got {url!r}.")
    return LLMSpec(**table)


_TYPES: dict[Any, type | tuple[type, ...]] = {str: str, int: int, float: (int, float)}


def _check_keys(table: dict[str, Any], cls: type, required: set[str], internal: set[str], where: str) -> None:
    """Check that a TOML table has only the fields of `cls`, all the required ones, each of its type."""
    known = {item.name: item for item in fields(cls) if item.name not in internal}
    for key, value in table.items():
        if key not in known:
            raise ValueError(f"{where}: {unknown_name('key', key, known)}")
        expected = _TYPES.get(known[key].type, dict)
        if not isinstance(value, expected) or isinstance(value, bool):
            kind = "table" if expected is dict else getattr(known[key].type, "__name__", "")
            raise ValueError(f"{where}: key {key!r} must be a {kind}, got {value!r}.")
    for key in sorted(required - table.keys()):
        raise ValueError(f"{where}: key {key!r} is missing.")
    for key, value in table.get("environment", {}).items():
        if not isinstance(value, str):
            raise ValueError(f"{where}: environment.{key} must be a string, got {value!r}.")
