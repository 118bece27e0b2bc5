"""Record a pool's outcomes into an outcome table, journalled and resumable."""

from llm_routing_env.recording.recorder import Recording, record
from llm_routing_env.recording.sharded import record_sharded

__all__ = ["Recording", "record", "record_sharded"]
