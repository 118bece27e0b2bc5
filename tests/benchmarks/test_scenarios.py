"""The benchmark of scenarios: who is hurt by an event, and not by exploring."""

import sys

from llm_routing_env.evaluation.recovery import Recoveries


def test_an_event_that_changes_nothing_hurts_nobody(script, tmp_path, monkeypatch):
    scenarios = script("scenarios")
    monkeypatch.setattr(scenarios, "BLOCKS", tmp_path)
    monkeypatch.setattr(scenarios, "ONLINE", ["exp3", "thompson_gaussian"])
    monkeypatch.setattr(scenarios, "VARIANTS", {})
    nothing = {"nothing": [{"event": "price", "llm": "dearest", "step": 100, "factor": 1.0}]}
    monkeypatch.setattr(scenarios, "PRESETS", nothing)
    monkeypatch.setattr(sys.modules["llm_routing_env.scenarios.read"], "PRESETS", nothing)
    found = scenarios.run("nothing", "nano", "pickllm", 4, "local", 0)
    shown, recoveries = found, Recoveries(found.problem, found.drawn, 0)
    for name in ("exp3", "thompson_gaussian"):
        (alone,), (beside,) = recoveries.of(found.logs[name], learns=True).effects, shown.recovery[name].effects
        assert alone.hurt["mean"] > 0  # it explores, with or without an event
        assert beside.hurt["mean"] == beside.back["mean"] == 0
        assert scenarios.back(shown, name).strip("*") == "\N{EN DASH}"
