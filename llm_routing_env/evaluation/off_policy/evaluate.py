"""What a policy would have got, by a log: every estimate of every measure, and what to think of it."""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.off_policy.estimators import ESTIMATORS, estimate
from llm_routing_env.evaluation.off_policy.logged import Floats, Logged
from llm_routing_env.evaluation.off_policy.logged_problem import problem_of, truth_of
from llm_routing_env.evaluation.off_policy.policy import Asked, read_policy
from llm_routing_env.evaluation.off_policy.reward_model import FOLDS, cross_fitted
from llm_routing_env.evaluation.off_policy.support import (
    calibration_of,
    calibration_warnings,
    skew_warnings,
    support_of,
    warnings_of,
)
from llm_routing_env.logs import Log
from llm_routing_env.logs.check import name_of_row

MEASURES = ("reward", "accuracy", "cost_usd", "latency_s")
CONTEXT = "context"
LEAST = 1e-50


def evaluate_log(
    log: Log, policy: str, *, table: str | None = None, observation: str = CONTEXT, with_truth: bool = False
) -> dict[str, Any]:
    """Return what a policy would have got on queries like the log's, JSON-plain.

    Args:
        log: Every row with its propensity.
        policy: See `read_policy`.
        table: Where the log's table lies; None: it is a shipped one, or none.
        observation: What the reward model sees of a query, such as "context" or "embedding32".
        with_truth: Whether to add what the table knows the policy gets, over all queries of the log's split.

    Raises:
        ValueError: If the log has no propensities or is of another table, or there is no such policy.
    """
    log.require_propensities()
    _require_possible(log)

    @cache
    def problem_seeing(observation: str) -> RoutingProblem:
        return problem_of(log, observation, table)

    if table is not None:
        problem_seeing("none")  # another table is refused, whether or not it is needed
    named = read_policy(policy, log.llm_names, problem_seeing)
    target = named.chances(Asked([log.query_ids[query] for query in log.query], log.mask, log.phase))
    features = _features(log, observation, problem_seeing)
    nothing = np.zeros(len(log))  # it goes by weights alone
    support = support_of(Logged(nothing, log.action, log.propensity, target, log.query, np.zeros_like(target)))
    calibration = calibration_of(log.action, log.propensity, log.query, log.n_llms, log.mask)
    said = warnings_of(support) + calibration_warnings(calibration, log.llm_names)
    unknown = {name: int(np.isnan(getattr(log, name)).sum()) for name in MEASURES}
    known = {
        name: _logged(log, getattr(log, name), target, features, is_bounded=name == "accuracy")
        for name in MEASURES
        if not unknown[name]
    }
    said += skew_warnings(known)
    if named.is_fitted and (n_seen := _n_fitted_on(log, problem_seeing("none"))):
        said.append(f"The policy was fitted on the train split, of which {n_seen} of {len(log)} rows are: too good.")
    return {
        "policy": policy,
        "rows": len(log),
        "queries": len(np.unique(log.query)),
        "logged_by": list(log.agents),
        "reward_model": f"ridge regression per LLM on {observation}, cross-fitted over {FOLDS} folds of queries",
        "estimates": {name: _estimates(logged) for name, logged in known.items()},
        "not_estimated": {name: f"not known in {n} of {len(log)} rows" for name, n in unknown.items() if n},
        "truth": truth_of(log, problem_seeing("none"), named.chances) if with_truth else None,
        "support": asdict(support),
        "calibration": dict(zip(log.llm_names, calibration, strict=True)),
        "warnings": said,
    }


def _estimates(logged: Logged) -> dict[str, Any]:
    """Return what the log itself got, and every estimate."""
    return {"log": float(logged.value.mean())} | {name: estimate(name, logged) for name in ESTIMATORS}


def _logged(log: Log, values: Floats, target: Floats, features: Floats, *, is_bounded: bool = False) -> Logged:
    model = cross_fitted(values, log.action, log.query, features, log.n_llms)
    return Logged(values, log.action, log.propensity, target, log.query, model, is_bounded)


def _require_possible(log: Log) -> None:
    """Raise ValueError for a probability that nobody could ever have seen come true: weights would overflow."""
    never = log.propensity < LEAST
    if never.any():
        found = log.propensity[np.argmax(never)]
        raise ValueError(f"{name_of_row(log, never)}: expected a propensity of at least {LEAST:g}, found {found:g}.")


def _features(log: Log, observation: str, problem_seeing: Callable[[str], RoutingProblem]) -> Floats:
    """Return what the reward model sees at each step; contexts, each in its phases, are in the log itself."""
    if observation == CONTEXT:
        places = np.unique(np.stack([log.context, log.phase]), axis=1, return_inverse=True)[1].ravel()
        return np.eye(places.max() + 1)[places]
    problem = problem_seeing(observation)
    return np.asarray(problem.observations[log.require_table(problem.table)], dtype=np.float64)


def _n_fitted_on(log: Log, problem: RoutingProblem) -> int:
    return int(problem.table.is_train[log.require_table(problem.table)].sum())
