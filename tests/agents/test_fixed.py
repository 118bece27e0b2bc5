"""One LLM for every query."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


@pytest.mark.parametrize("llm", ["llm2", 2])
def test_llm_is_given_by_name_or_index(llm, make_task):
    agent = make_agent("fixed", make_task(), llm=llm)
    assert agent.select_action(None) == agent.committed_action == 2


def test_another_llm_steps_in_while_it_is_unavailable(make_task):
    agent = make_agent("fixed", make_task(), llm=1)
    np.testing.assert_array_equal(agent.action_probabilities(None, [1, 0, 0, 1]), [0.5, 0, 0, 0.5])


@pytest.mark.parametrize("llm", ["gpt", 4, -1, 1.5])
def test_unknown_llm_is_refused(llm, make_task):
    with pytest.raises(ValueError, match="Fixed: llm must be one of llm0, llm1, llm2, llm3, or an index"):
        make_agent("fixed", make_task(), llm=llm)


def test_actions_that_are_not_the_llms_are_refused(make_task):
    with pytest.raises(ValueError, match=r"Fixed: task must be one whose actions are its 2 LLMs, got 'n_actions=3'"):
        make_agent("fixed", make_task(3, llm_names=("a", "b"), expected_cost_usd=(1.0, 2.0)))
