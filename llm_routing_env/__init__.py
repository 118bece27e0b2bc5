"""PickLLM: a Gymnasium bandit environment for routing queries to LLMs, with agents.

Importing this package registers `PickLLM-v0` (recorded outcomes, deterministic), `PickLLMLive-v0` (LLMs served by
vLLM) and `PickLLM-MO-v0` (a vector reward). It imports nothing heavy.
"""

import gymnasium as gym

__version__ = "0.1.0"

SESSION_LENGTH = 200  # queries of a session, unless max_episode_steps says otherwise

gym.register(
    id="PickLLM-v0",
    entry_point="llm_routing_env.envs:PickLLMEnv",
    vector_entry_point="llm_routing_env.envs:PickLLMVectorEnv",
    max_episode_steps=SESSION_LENGTH,
)
gym.register(
    id="PickLLMLive-v0",
    entry_point="llm_routing_env.envs:PickLLMEnv",
    vector_entry_point="llm_routing_env.envs:PickLLMLiveVectorEnv",
    max_episode_steps=SESSION_LENGTH,
    nondeterministic=True,
    kwargs={"backend": "vllm"},
)
gym.register(
    id="PickLLM-MO-v0",
    entry_point="llm_routing_env.envs:PickLLMMOEnv",
    vector_entry_point="llm_routing_env.envs:PickLLMMOVectorEnv",
    max_episode_steps=SESSION_LENGTH,
    disable_env_checker=True,  # Gymnasium's expects a scalar reward
)
