"""Every estimator by name."""

from collections.abc import Callable, Mapping

from llm_routing_env.evaluation.intervals import Interval
from llm_routing_env.evaluation.off_policy.doubly_robust import dm, dr, sndr, switch_dr
from llm_routing_env.evaluation.off_policy.importance import clipped_ips, ips, snips
from llm_routing_env.evaluation.off_policy.intervals import interval_of
from llm_routing_env.evaluation.off_policy.logged import Estimate, Logged

ESTIMATORS: Mapping[str, Callable[[Logged], Estimate]] = {
    "ips": ips,
    "clipped_ips": clipped_ips,
    "snips": snips,
    "dm": dm,
    "dr": dr,
    "sndr": sndr,
    "switch_dr": switch_dr,
}


def estimate(name: str, logged: Logged) -> Interval:
    """Return an estimate with its interval; `name` is one of `ESTIMATORS`."""
    return interval_of(ESTIMATORS[name](logged), logged, is_share=name == "snips")
