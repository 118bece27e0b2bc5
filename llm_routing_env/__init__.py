"""PickLLM: a Gymnasium bandit environment for routing queries to LLMs, with agents.

Importing this package registers `PickLLM-v0` (recorded outcomes, deterministic), `PickLLM-Multi-v0` (several asks for
one query), `PickLLM-MO-v0` (a vector reward) and `PickLLMLive-v0` (LLMs served by vLLM). It imports nothing heavy.
"""

import gymnasium as gym

__version__ = "0.2.0"

SESSION_LENGTH = 200  # queries of a session, unless max_episode_steps says otherwise

gym.register(
    id="PickLLM-v0",
    entry_point="llm_routing_env.envs:PickLLMEnv",
    vector_entry_point="llm_routing_env.envs:PickLLMVectorEnv",
    max_episode_steps=SESSION_LENGTH,
)
gym.register(  # without max_episode_steps, which would count asks: a session ends after n_queries
    id="PickLLM-Multi-v0",
    entry_point="llm_routing_env.envs:PickLLMMultiEnv",
    vector_entry_point="llm_routing_env.envs:PickLLMMultiVectorEnv",
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
