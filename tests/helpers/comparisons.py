"""Comparisons of every shape that figures and reports must show."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tables import queries, random_table, records

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.evaluation import Comparison, compare
from llm_routing_env.evaluation.intervals import NOTHING
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.tables.table import OutcomeTable

AGENTS = ("epsilon_greedy_q", "random", "cheapest")
# Each would run, break the markup, or be read as a formula, were it not escaped.
HOSTILE = (
    "<script>window.hacked = 1</script>",
    "\"><img src=x onerror='window.hacked = 1'>",
    "$\\frac{1}{0}$ & $x$",
    "</text></svg></table>evil",
)


class Broken(Agent):
    """Raises at its third query; the message is markup, rings the bell and turns the reading direction."""

    n_asked = 0

    def select_action(self, observation: Any, action_mask: Any = None) -> Any:
        self.n_asked += 1
        if self.n_asked == 3:
            raise RuntimeError("<b>no answer</b>\x07\u202e")
        return np.zeros(len(observation), dtype=np.int64)


def small(agents: Sequence[str] = AGENTS, **options: Any) -> Comparison:
    """Return a real comparison on a random table of three contexts."""
    return compare(list(agents), **{"n_sessions": 4, "length": 12, "table": random_table(per_context=24)} | options)


def learning() -> Comparison:
    """Return a comparison of a learner and others where each context has one LLM that is always right."""
    asked = queries(24)
    right = np.eye(4)[np.repeat([2, 0, 3], 24)][:, :, None]  # the contexts' best LLMs
    rows = records(asked, [f"llm-{number}" for number in range(4)], right, 1e-5, 0.1)
    table = OutcomeTable.from_records(asked, [f"llm-{number}" for number in range(4)], rows, {})
    return small(
        ["explore_then_commit", "random"],
        table=table,
        n_sessions=30,
        parameters={"explore_then_commit": {"pulls_per_arm": 1}},
    )


def hostile() -> Comparison:
    """Return a comparison of which LLMs, contexts and agents have hostile names, and one agent raises."""
    asked = queries(24, contexts=HOSTILE[:3])
    rng = np.random.default_rng(0)
    shape = (len(asked), len(HOSTILE), 2)
    rows = records(
        asked, HOSTILE, rng.integers(0, 2, shape), rng.uniform(1e-6, 1e-4, shape), rng.uniform(0.005, 0.3, shape)
    )
    result = small(
        ["epsilon_greedy_q", "random", "comparisons:Broken"], table=OutcomeTable.from_records(asked, HOSTILE, rows, {})
    )
    return renamed(result, dict(zip(result.contestants, HOSTILE, strict=False)))


def many(n_agents: int = 25, n_contexts: int = 9) -> Comparison:
    """Return a comparison of many agents on many contexts."""
    asked = queries(60, contexts=[f"context {number}" for number in range(n_contexts)])
    rng = np.random.default_rng(1)
    llms = [f"llm-{number}" for number in range(11)]
    shape = (len(asked), len(llms), 1)
    rows = records(
        asked, llms, rng.integers(0, 2, shape), rng.uniform(1e-6, 1e-4, shape), rng.uniform(0.005, 0.3, shape)
    )
    result = small(
        ["epsilon_greedy_q"], table=OutcomeTable.from_records(asked, llms, rows, {}), n_sessions=3, length=40
    )
    (name,) = result.contestants
    for number in range(1, n_agents):
        copied = f"my_package.my_agents:MyContextualAgent{number}"
        result.contestants[copied] = result.contestants[name]
        result.logs[copied], result.verdicts[copied] = result.logs[name], result.verdicts[name]
        result.routing[copied], result.sources[copied] = result.routing[name], result.sources[name]
        result.calls[copied] = result.calls[name]
        # A little apart, so that ranks are decided.
        result.metrics[copied] = {
            group: {metric: _shifted(value, 0.01 * number) for metric, value in metrics.items()}
            for group, metrics in result.metrics[name].items()
        }
    agents = result.agents
    result.pairs = {one: {other: {"mean": 0.1, "low": 0.05, "high": 0.2} for other in agents} for one in agents}
    return result


def renamed(result: Comparison, names: dict[str, str]) -> Comparison:
    """Return the comparison with other row names."""

    def rename(values: dict[str, Any]) -> dict[str, Any]:
        return {names.get(name, name): value for name, value in values.items()}

    fields = ("contestants", "logs", "metrics", "routing", "calls", "sources", "verdicts", "failures")
    pairs = rename({name: rename(others) for name, others in result.pairs.items()})
    return replace(result, **{field: rename(getattr(result, field)) for field in fields}, pairs=pairs)


def without(result: Comparison, measure: str, *metrics: str) -> Comparison:
    """Return the comparison as if a measure were not known of any agent or reference."""

    def unknown(log: SessionLog) -> SessionLog:
        return replace(log, measures=log.measures | {measure: np.full_like(log.rewards, np.nan)})

    return replace(
        result,
        logs=_mapped(result.logs, unknown),
        metrics=_mapped(result.metrics, lambda found: found | dict.fromkeys(metrics, NOTHING)),
    )


def _mapped(rows: dict[str, dict[str, Any]], change: Callable[[Any], Any]) -> dict[str, dict[str, Any]]:
    return {name: {group: change(value) for group, value in groups.items()} for name, groups in rows.items()}


def _shifted(value: Any, by: float) -> Any:
    return {key: None if number is None else number + by for key, number in value.items()}
