"""Stable-Baselines3's algorithms in a comparison, by name; it is imported only when one of them takes part."""

from llm_routing_env.evaluation.sb3.base import SB3Contestant
from llm_routing_env.evaluation.sb3.contestants import sb3_contestants
from llm_routing_env.evaluation.sb3.defaults import SB3_ALGORITHMS, describe_sb3
from llm_routing_env.evaluation.sb3.models import is_sb3
from llm_routing_env.evaluation.sb3.online import OnlineContestant
from llm_routing_env.evaluation.sb3.pretrained import PretrainedContestant

__all__ = [
    "SB3_ALGORITHMS",
    "OnlineContestant",
    "PretrainedContestant",
    "SB3Contestant",
    "describe_sb3",
    "is_sb3",
    "sb3_contestants",
]
