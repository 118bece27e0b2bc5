"""Scenarios by name, for any table, and for sessions of 200 queries."""

from collections.abc import Mapping, Sequence
from typing import Any

PRESETS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "price_cut": [{"event": "price", "llm": "dearest", "step": 100, "factor": 0.1}],
    "price_war": [
        {"event": "price", "llm": "dearest", "step": 60, "factor": 0.1},
        {"event": "price", "llm": "cheapest", "step": 120, "factor": 0.1},
    ],
    "slow_motion": [{"event": "latency", "llm": "favourite", "step": 60, "factor": 20.0, "over": 80}],
    "silent_degradation": [{"event": "quality", "llm": "favourite", "step": 100, "probability": 0.8}],
    "outage": [{"event": "outage", "llm": "favourite", "step": 80, "until": 140, "hidden": True}],
    "new_kid": [{"event": "new_llm", "llm": "favourite", "step": 100}],
    "topic_change": [{"event": "context_shift", "context": "next", "step": 100}],
    "careless_judge": [{"event": "noisy_scorer", "step": 100, "rate": 0.3}],
}
