"""The environments behind the registered ids."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_routing_env.envs.feedback import DelayedFeedback, DroppedFeedback
    from llm_routing_env.envs.live_vector import PickLLMLiveVectorEnv
    from llm_routing_env.envs.multi import PickLLMMultiEnv
    from llm_routing_env.envs.multi_objective import PickLLMMOEnv
    from llm_routing_env.envs.multi_objective_vector import PickLLMMOVectorEnv
    from llm_routing_env.envs.multi_vector import PickLLMMultiVectorEnv
    from llm_routing_env.envs.pickllm import PickLLMEnv
    from llm_routing_env.envs.sb3_vector import PickLLMSB3VecEnv
    from llm_routing_env.envs.vector import PickLLMVectorEnv

__all__ = [
    "DelayedFeedback",
    "DroppedFeedback",
    "PickLLMEnv",
    "PickLLMLiveVectorEnv",
    "PickLLMMOEnv",
    "PickLLMMOVectorEnv",
    "PickLLMMultiEnv",
    "PickLLMMultiVectorEnv",
    "PickLLMSB3VecEnv",
    "PickLLMVectorEnv",
]

_MODULES = {
    "DelayedFeedback": "feedback",
    "DroppedFeedback": "feedback",
    "PickLLMEnv": "pickllm",
    "PickLLMLiveVectorEnv": "live_vector",
    "PickLLMMOEnv": "multi_objective",
    "PickLLMMOVectorEnv": "multi_objective_vector",
    "PickLLMMultiEnv": "multi",
    "PickLLMMultiVectorEnv": "multi_vector",
    "PickLLMSB3VecEnv": "sb3_vector",
    "PickLLMVectorEnv": "vector",
}


def __getattr__(name: str) -> Any:
    """Import an environment when it is asked for: a session alone needs neither vector, and starts faster so."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
