"""What another policy would have got, from logged bandit feedback, and whether that can be known."""

from llm_routing_env.evaluation.off_policy.doubly_robust import dm, dr, sndr, switch_dr
from llm_routing_env.evaluation.off_policy.importance import clipped_ips, ips, snips
from llm_routing_env.evaluation.off_policy.intervals import effective_sample_size, interval_of
from llm_routing_env.evaluation.off_policy.logged import Estimate, Logged
from llm_routing_env.evaluation.off_policy.reward_model import cross_fitted

ESTIMATORS = {
    "ips": ips,
    "clipped_ips": clipped_ips,
    "snips": snips,
    "dm": dm,
    "dr": dr,
    "sndr": sndr,
    "switch_dr": switch_dr,
}

__all__ = [
    "ESTIMATORS",
    "Estimate",
    "Logged",
    "clipped_ips",
    "cross_fitted",
    "dm",
    "dr",
    "effective_sample_size",
    "interval_of",
    "ips",
    "sndr",
    "snips",
    "switch_dr",
]
