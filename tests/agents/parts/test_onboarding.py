"""A task with an LLM more."""

import numpy as np
import pytest

from llm_routing_env.agents import LLMInfo
from llm_routing_env.agents.parts.onboarding import task_with


def test_the_new_llm_is_the_last_action_and_costs_what_it_says_or_what_its_probes_did(make_task, make_training_table):
    task = make_task(2)
    probes = make_training_table(make_task(1), cost_usd=np.full((60, 1), 0.25))
    grown = task_with(task, LLMInfo("new"), probes)
    assert (grown.n_actions, grown.llm_names, grown.llms[-1]) == (3, ("llm0", "llm1", "new"), LLMInfo("new"))
    assert grown.expected_cost_usd == (*task.expected_cost_usd, 0.25)
    assert task_with(task, LLMInfo("new", expected_cost_usd=0.5), probes).expected_cost_usd[-1] == 0.5
    assert task.n_actions == 2


def test_probes_without_costs_leave_it_at_0(make_task, make_training_table):
    probes = make_training_table(make_task(1), cost_usd=np.full((60, 1), np.nan))
    assert task_with(make_task(2), LLMInfo("new"), probes).expected_cost_usd[-1] == 0.0


def test_an_llm_of_the_pool_is_refused(make_task, make_training_table):
    with pytest.raises(ValueError, match="llm must be none of llm0, llm1, got 'llm1'"):
        task_with(make_task(2), LLMInfo("llm1"), make_training_table(make_task(1)))
