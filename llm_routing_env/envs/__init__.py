"""The environments behind the registered ids."""

from llm_routing_env.envs.live_vector import PickLLMLiveVectorEnv
from llm_routing_env.envs.pickllm import PickLLMEnv
from llm_routing_env.envs.vector import PickLLMVectorEnv

__all__ = ["PickLLMEnv", "PickLLMLiveVectorEnv", "PickLLMVectorEnv"]
