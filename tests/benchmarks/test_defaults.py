"""Every agent's defaults are those that one procedure chose, and the committed result says which."""

import json

import pytest

from llm_routing_env.agents import AGENTS, agent_class


def test_every_agent_has_a_grid_or_a_reason_to_have_none(script):
    defaults = script("defaults")
    assert sorted([*defaults.GRIDS, *defaults.WITHOUT]) == sorted(AGENTS)
    assert defaults.TEXTBOOK.keys() == defaults.GRIDS.keys()
    for name, grid in defaults.GRIDS.items():
        assert grid.keys() <= agent_class(name).hyperparameters().keys()
        assert defaults.TEXTBOOK[name].keys() == grid.keys()


@pytest.mark.parametrize("name", AGENTS)
def test_the_code_has_the_defaults_that_were_chosen(script, name: str):
    script("defaults")
    results = script("readme_tables").RESULTS
    chosen = json.loads((results / "defaults_nano.json").read_text())["result"].get(name, {}).get("chosen", {})
    actual = agent_class(name).hyperparameters()
    assert {parameter: actual[parameter] for parameter in chosen} == chosen


def test_the_best_on_the_average_of_both_rewards_is_chosen(script):
    defaults = script("defaults")
    tuned = script("llm_routing_env.evaluation.tuning").Tuned

    def gap(mean: float | None):
        return None if mean is None else {"mean": mean, "low": mean, "high": mean}

    candidates = [{"c": 1}, {"c": 2}, {"c": 3}]
    forms = {
        "pickllm": tuned(candidates, [], [gap(0.5), gap(0.4), gap(0.9)], 40),
        "additive": tuned(candidates, [], [gap(0.1), gap(0.3), None], 40),
    }
    found = defaults.document({"c": 2.0}, forms)
    assert found["chosen"] == {"c": 2}
    assert found["textbook"] == {"c": 2.0}
