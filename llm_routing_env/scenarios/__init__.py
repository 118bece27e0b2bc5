"""What changes in a session: prices, latencies, answers, what is told of them, who can be asked, and the topic."""

from llm_routing_env.scenarios.phases import Phase, Scenario, phases_of
from llm_routing_env.scenarios.presets import PRESETS
from llm_routing_env.scenarios.read import EVENTS, read_scenario, recorded_scenario

__all__ = ["EVENTS", "PRESETS", "Phase", "Scenario", "phases_of", "read_scenario", "recorded_scenario"]
