"""What changes in the course of a session: prices, latencies, answers, and who can be asked."""

from llm_routing_env.scenarios.phases import Scenario, phases_of
from llm_routing_env.scenarios.presets import PRESETS
from llm_routing_env.scenarios.read import EVENTS, read_scenario

__all__ = ["EVENTS", "PRESETS", "Scenario", "phases_of", "read_scenario"]
