"""What another policy would have got, from logged bandit feedback, and whether that can be known."""

from llm_routing_env.evaluation.off_policy.estimators import ESTIMATORS, estimate
from llm_routing_env.evaluation.off_policy.evaluate import evaluate_log
from llm_routing_env.evaluation.off_policy.logged import Estimate, Logged
from llm_routing_env.evaluation.off_policy.reward_model import cross_fitted
from llm_routing_env.evaluation.off_policy.support import Support, calibration_of, support_of, warnings_of

__all__ = [
    "ESTIMATORS",
    "Estimate",
    "Logged",
    "Support",
    "calibration_of",
    "cross_fitted",
    "estimate",
    "evaluate_log",
    "support_of",
    "warnings_of",
]
