"""Stable-Baselines3's algorithms in a comparison, by name; it is imported only when one of them takes part."""

from llm_routing_env.evaluation.sb3.contestants import (
    OnlineContestant,
    PretrainedContestant,
    SB3Contestant,
    sb3_contestants,
)
from llm_routing_env.evaluation.sb3.defaults import SB3_ALGORITHMS, describe_sb3
from llm_routing_env.evaluation.sb3.models import is_sb3

__all__ = [
    "SB3_ALGORITHMS",
    "OnlineContestant",
    "PretrainedContestant",
    "SB3Contestant",
    "describe_sb3",
    "is_sb3",
    "sb3_contestants",
]
