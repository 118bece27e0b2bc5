"""Facts: kept infos are never handed out, and bounded; every environment tells the same."""

import copy
import pickle

import pytest
from tables import random_table

from llm_routing_env.envs import PickLLMEnv, facts
from llm_routing_env.envs.facts import Facts
from llm_routing_env.envs.problem import RoutingProblem


def facts_of(table: object, info: str = "full", **arguments: object) -> Facts:
    return Facts(RoutingProblem(table, observation="none", **arguments), info)


def test_what_a_step_gave_may_be_changed():
    steps = facts_of(random_table())
    first = steps.step(17, 4)
    expected = copy.deepcopy(first)
    first[1]["reward_terms"].clear()
    first[1].clear()
    assert steps.step(17, 4) == expected


def test_the_next_prompt_is_that_of_the_step_not_of_the_one_before():
    steps = facts_of(random_table())
    assert [steps.step(17, following)[1]["next_prompt"] for following in (4, 5)] == [
        "art question 4?",
        "art question 5?",
    ]


def test_only_so_many_infos_are_kept(monkeypatch: pytest.MonkeyPatch):
    table = random_table()
    unbounded = [facts_of(table, split="all").step(8 * query, 0) for query in range(10)]
    monkeypatch.setattr(facts, "KEPT_CELLS", 3)
    steps = facts_of(table, split="all")
    assert [steps.step(8 * query, 0) for query in range(10)] == unbounded
    assert len(steps._kept) <= 3


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_of_an_environment_goes_on_as_the_environment_does(copied: object):
    env = PickLLMEnv(random_table(), observation="context")
    env.reset(seed=0)
    env.step(0)
    again = copied(env)
    for action in (1, 2, 3):
        mine, its = env.step(action), again.step(action)
        assert (mine[0] == its[0]).all()
        assert mine[1:] == its[1:]
    assert env.reset()[1] == again.reset()[1]


def test_rendering_changes_nothing_but_the_picture():
    table = random_table()
    plain = PickLLMEnv(table, observation="none")
    drawn = PickLLMEnv(table, observation="none", render_mode="ansi")
    assert plain.reset(seed=3)[1] == drawn.reset(seed=3)[1]
    assert [plain.step(llm)[1:] for llm in range(4)] == [drawn.step(llm)[1:] for llm in range(4)]
    assert "4 queries" in drawn.render()
