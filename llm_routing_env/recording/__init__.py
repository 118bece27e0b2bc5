"""Record a pool's outcomes into an outcome table, journalled and resumable."""

from llm_routing_env.recording.recorder import Recording, record

__all__ = ["Recording", "record"]
