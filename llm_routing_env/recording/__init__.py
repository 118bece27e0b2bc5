"""Record a pool's outcomes into an outcome table, journalled and resumable, and how load slows its LLMs."""

from llm_routing_env.recording.plan import Recording
from llm_routing_env.recording.recorder import record
from llm_routing_env.recording.sharded import record_sharded
from llm_routing_env.recording.under_load import measure_load

__all__ = ["Recording", "measure_load", "record", "record_sharded"]
