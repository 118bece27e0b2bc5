"""Writes the pages that the code itself says: environments, agents, and the public names."""

import ast
import inspect
import json
import re
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llm_routing_env.agents import AGENTS, ASKING_AGENTS, describe_agents
from llm_routing_env.agents.parts.registry import agent_class

ROOT = Path(__file__).parents[1]
TABLES = ("nano", "cascades9", "mmlu_pro")
ENVIRONMENTS = {
    "PickLLM-v0": "llm_routing_env.envs.pickllm:PickLLMEnv",
    "PickLLM-v0, vectorised": "llm_routing_env.envs.vector:PickLLMVectorEnv",
    "PickLLM-Multi-v0": "llm_routing_env.envs.multi:PickLLMMultiEnv",
    "PickLLM-Multi-v0, vectorised": "llm_routing_env.envs.multi_vector:PickLLMMultiVectorEnv",
    "PickLLMLive-v0, vectorised": "llm_routing_env.envs.live_vector:PickLLMLiveVectorEnv",
    "PickLLM-MO-v0": "llm_routing_env.envs.multi_objective:PickLLMMOEnv",
    "PickLLM-MO-v0, vectorised": "llm_routing_env.envs.multi_objective_vector:PickLLMMOVectorEnv",
    "PickLLMSB3VecEnv": "llm_routing_env.envs.sb3_vector:PickLLMSB3VecEnv",
    "DelayedFeedback": "llm_routing_env.envs.feedback:DelayedFeedback",
    "DroppedFeedback": "llm_routing_env.envs.feedback:DroppedFeedback",
}
PUBLIC = {
    "Agents": (
        "llm_routing_env.agents.parts.registry:make_agent",
        "llm_routing_env.agents.parts.agent:Agent",
        "llm_routing_env.agents.parts.pretrained:PretrainedAgent",
        "llm_routing_env.agents.parts.task:RoutingTask",
        "llm_routing_env.agents.parts.task:LLMInfo",
        "llm_routing_env.agents.parts.training:TrainingTable",
    ),
    "Rewards": ("llm_routing_env.rewards.base:Reward",),
    "Tables and pools": (
        "llm_routing_env.tables.load:load_table",
        "llm_routing_env.tables.table:OutcomeTable",
        "llm_routing_env.pools.pool:load_pool",
    ),
    "Comparisons": (
        "llm_routing_env.evaluation.comparison:compare",
        "llm_routing_env.evaluation.result:Comparison",
    ),
}
_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$")


def write_pages(folder: Path) -> None:
    """Write all of them; nothing else is in the folder."""
    folder.mkdir(exist_ok=True)
    pages = {"environments": _environments(), "api": _api(), **dict(_agents())}
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _environments() -> str:
    parts = ["# Reference of the environments", "What the classes say of themselves."]
    for title, name in ENVIRONMENTS.items():
        text = _class_docstring(name)
        parts += [f"## {title}", re.sub(r"^## ", "### ", text, flags=re.M)]
    return "\n\n".join(parts) + "\n"


def _agents() -> Iterable[tuple[str, str]]:
    """Yield a page for each agent: its rule, what it sees, its parameters, and how it did."""
    results = {table: _results(table) for table in TABLES}
    for described in describe_agents():
        name, kind = described["name"], agent_class(described["name"])
        rule = (inspect.getmodule(kind).__doc__ or "").strip()
        parts = [f"# {name}", rule, f"{described['protocol']}; sees `{described['observation']}`."]
        parts += [_docstring(kind), "## Parameters", _docstring(kind.__init__)]
        values = ", ".join(f"`{key}={value!r}`" for key, value in described["parameters"].items())
        parts += [f"Defaults: {values}." if values else "It has no hyperparameter of its own."]
        parts += [
            "## Results",
            _row_of(name, results),
            f"Source: `agents/{(AGENTS | ASKING_AGENTS)[name].split('.')[2].split(':')[0]}.py`.",
        ]
        yield f"agent-{name}", "\n\n".join(parts) + "\n"


def _results(table: str) -> dict[str, Any]:
    path = ROOT / "benchmarks" / "results" / f"baselines_{table}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["result"]
    return found


def _row_of(name: str, results: dict[str, Any]) -> str:
    lines = ["| table | reward form | mean reward | gap to the oracle closed |", "| --- | --- | --- | --- |"]
    for table, forms in results.items():
        for form, document in forms.items():
            for row in document["agents"]:
                if row["agent"] == name and row["context"] == "all" and row["metrics"]:
                    reward, gap = (row["metrics"][metric] for metric in ("reward", "oracle_gap_closed"))
                    lines.append(f"| {table} | `{form}` | {_shown(reward, '.3f', 1)} | {_shown(gap, '.0f', 100)} % |")
    return "\n".join(lines) if len(lines) > 2 else "It is in none of the committed results."


def _shown(interval: dict[str, float], form: str, times: float) -> str:
    mean, low, high = (format(times * interval[key], form) for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _api() -> str:
    parts = ["# Public names"]
    for heading, names in PUBLIC.items():
        parts.append(f"## {heading}")
        for name in names:
            found = _load(name)
            parts += [
                f"### {name.split(':')[1]}",
                f"From `{name.split(':')[0]}`.",
                _signature(found),
                _docstring(found),
            ]
            if inspect.isclass(found):
                parts += list(_methods(found))
    return "\n\n".join(parts) + "\n"


def _methods(kind: type) -> Iterable[str]:
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_") and name in vars(kind):
            yield f"#### {kind.__name__}.{name}"
            yield _signature(method)
            yield _docstring(method)


def _signature(found: Any) -> str:
    name = getattr(found, "__name__", "")
    text = f"{name}{inspect.signature(found)}"
    return f"```python\n{text}\n```"


def _docstring(found: Any) -> str:
    """Return a docstring as Markdown: the entries of its sections as lists."""
    lines, section = [], False
    for line in (inspect.getdoc(found) or "").splitlines():
        if _SECTION.match(line):
            section = True
            lines += [f"**{line}**", ""]
        elif section and (entry := re.match(r"^    ([\w*, ]+): (.*)", line)):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif section and line.startswith("    "):
            lines.append(f"  {line.strip()}")
        else:
            section = section and not line
            lines.append(line)
    return "\n".join(lines)


def _class_docstring(name: str) -> str:
    """Return a class's docstring, read and not imported: Stable-Baselines3 need not be there."""
    module, _, wanted = name.partition(":")
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return ast.get_docstring(classes[wanted]) or ""


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
