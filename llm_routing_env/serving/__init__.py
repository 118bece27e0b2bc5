"""Start, watch and stop the vLLM servers of a pool, and find those that run."""

from llm_routing_env.serving.endpoints import ServingError, read_endpoints
from llm_routing_env.serving.servers import serve

__all__ = ["ServingError", "read_endpoints", "serve"]
