"""What an agent or a reference did in one context, as values that belong to a query and to a session or seed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.intervals import ROUNDING
from llm_routing_env.evaluation.policies import Policies, expected
from llm_routing_env.evaluation.sessions import N_ASKS, Floats, Ints, SessionLog
from llm_routing_env.evaluation.statistics import LIFETIMES, SESSIONS, TRAINING_SEEDS


@dataclass(frozen=True)
class Sample:
    """Values of one context.

    Attributes:
        queries: The query of each value, as its place among those that sessions of the context meet, shape (units,
            values).
        units: What the first axis is: `SESSIONS`, `LIFETIMES`, `TRAINING_SEEDS`, or None where there is one policy and
            no chance.
        values: By measure, same shape: "reward", "accuracy", "cost_usd", "latency_s", "regret" and "is_best" (whether
            the LLM is the context's best, by regret, so that two that are equally good both are).
        asked: The share of queries sent to each LLM, shape (LLMs,).
        weights: How much each value counts, and is multiplied by already, on average 1, shape (values,); None: equally.
        latencies_s: Latencies of single calls, and how much each of them counts, both of shape (calls,).
    """

    queries: Ints
    units: str | None
    values: Mapping[str, Floats]
    asked: Floats
    latencies_s: tuple[Floats, Floats]
    weights: Floats | None = None

    def by_lifetime(self, n_lifetimes: int) -> "Sample":
        """Return the same values with a row for each lifetime: of its sessions, see `by_lifetime`."""
        values = {name: by_lifetime(array, n_lifetimes) for name, array in self.values.items()}
        return replace(self, queries=by_lifetime(self.queries, n_lifetimes), units=LIFETIMES, values=values)


def by_lifetime(values: NDArray[Any], n_lifetimes: int) -> NDArray[Any]:
    """Return what sessions have, shape (sessions, ...), with those of a lifetime in a row, shape (lifetimes, values).

    With L lifetimes, lifetime l has the sessions l, l + L, ...
    """
    return values.reshape(-1, n_lifetimes, *values.shape[1:]).swapaxes(0, 1).reshape(n_lifetimes, -1)


def sample_of_log(problem: RoutingProblem, log: SessionLog, places: Ints) -> Sample:
    """Return what happened in sessions.

    Args:
        problem: What was routed.
        log: Of sessions of the context.
        places: The queries of each session, as places among those that sessions of the context meet.
    """
    regret = log.measures["regret"]
    values = {name: log.measures[name] for name in ("accuracy", "cost_usd", "latency_s", "regret")}
    is_unknown = np.isnan(regret) | (N_ASKS in log.measures)  # several asks have no best LLM
    asked = np.bincount(log.actions.ravel(), minlength=len(problem.task.llm_names)) / log.actions.size
    calls = log.measures["latency_s"].ravel()
    return Sample(
        queries=places,
        units=SESSIONS,
        values={"reward": log.rewards, **values, "is_best": np.where(is_unknown, np.nan, regret <= ROUNDING)},
        asked=asked,
        latencies_s=(calls, np.full(calls.shape, 1 / max(calls.size, 1))),
    )


def sample_of_policies(problem: RoutingProblem, policies: Policies, context: str, length: int) -> Sample:
    """Return what frozen policies get on every query of a context: expectations, nothing is drawn.

    Args:
        problem: What is routed.
        policies: The policies.
        context: Its name.
        length: Steps of a session, which decide how much each phase counts.
    """
    weights, cells = problem.query_weights(context, length), problem.cells
    queries = np.flatnonzero(weights.any(axis=0))
    measured = {
        "reward": problem.reward_table.query_means,
        "accuracy": cells.accuracy.mean(axis=2),
        "cost_usd": cells.cost_usd.mean(axis=2),
        "latency_s": cells.latency_s.mean(axis=2),
        "regret": problem.truth.regrets,
    }
    measured["is_best"] = (measured["regret"] <= ROUNDING).astype(np.float64)
    n_repeats, counts = problem.table.n_repeats, weights[:, queries]
    values, asked, latencies, of_calls = dict.fromkeys(measured, np.zeros(())), np.zeros(()), [], []
    for phase, count in enumerate(counts):
        rows = phase * problem.table.n_queries + queries
        chosen = policies[:, rows]
        values = {name: values[name] + count * expected(chosen, of_rows[rows]) for name, of_rows in measured.items()}
        asked = asked + (count[:, None] * chosen).mean(axis=(0, 1))
        latencies.append(cells.latency_s[rows].ravel())
        of_calls.append(np.repeat((count[:, None] * chosen.mean(axis=0) / len(queries) / n_repeats).ravel(), n_repeats))
    return Sample(
        queries=np.tile(np.arange(len(queries)), (len(policies), 1)),
        units=TRAINING_SEEDS if len(policies) > 1 else None,
        values=values,
        asked=asked,
        latencies_s=(np.concatenate(latencies), np.concatenate(of_calls)),
        weights=counts.sum(axis=0) if problem.course.changes_topic else None,
    )


def quantile(values: Floats, weights: Floats, share: float) -> float:
    """Return the lowest value that at least a share of the weight does not exceed; NaN where a value is missing."""
    kept = weights > 0
    values, weights = values[kept], weights[kept]
    if not np.isfinite(values).all():
        return float("nan")
    order = np.argsort(values, kind="stable")
    reached = weights[order].cumsum()
    # What rounding leaves of a whole share must not lead to the next value.
    return float(values[order][np.searchsorted(reached, share * reached[-1] * (1 - 1e-12))])
