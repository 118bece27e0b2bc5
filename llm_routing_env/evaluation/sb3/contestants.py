"""Stable-Baselines3's algorithms as contestants, under the two protocols.

Stable-Baselines3 draws from the global generators of random, numpy and torch, and seeds them for each model.
"""

from collections.abc import Mapping
from typing import Any

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.evaluation.contestants import Contestant
from llm_routing_env.evaluation.protocols import require_offered
from llm_routing_env.evaluation.sb3.defaults import (
    SB3_ALGORITHMS,
    TRAINING,
)
from llm_routing_env.evaluation.sb3.models import (
    is_sb3,
)
from llm_routing_env.evaluation.sb3.online import OnlineContestant
from llm_routing_env.evaluation.sb3.pretrained import PretrainedContestant


def sb3_contestants(name: str, parameters: Mapping[str, Any], row: str = "") -> list[Contestant]:
    """Return the contestants that a name stands for.

    Args:
        name: "ppo", "a2c", "dqn", or "module:Class" of an algorithm of your own, for both protocols; "ppo@online" or
            "ppo@pretrained" for one.
        parameters: Arguments of the algorithm's constructor, and "observation". For the pretrained one only:
            "total_timesteps"; "deterministic", whether it always asks the LLM it deems best; "model", the file of a
            saved model to judge instead of training one.
        row: Name of their rows; "" for the algorithm's.

    Raises:
        ImportError: If Stable-Baselines3 is not installed.
        ValueError: For an unknown name or parameter.
    """
    algorithm, at, protocol = name.partition("@")
    if not is_sb3(algorithm):
        raise unknown_name("algorithm of Stable-Baselines3", algorithm, SB3_ALGORITHMS)
    if not at:
        online = {key: value for key, value in parameters.items() if key not in TRAINING}
        return [OnlineContestant(algorithm, online, row), PretrainedContestant(algorithm, parameters, row)]
    require_offered(algorithm, protocol, [OnlineContestant.protocol, PretrainedContestant.protocol])
    if protocol == OnlineContestant.protocol:
        return [OnlineContestant(algorithm, parameters, row)]
    return [PretrainedContestant(algorithm, parameters, row)]
