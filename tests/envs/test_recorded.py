"""Steps on recorded outcomes: kept infos are never handed out, shared only between equals, and bounded."""

import copy
import pickle

import pytest
from tables import random_table

from llm_routing_env.envs import PickLLMEnv, recorded
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.envs.recorded import RecordedSteps


def steps_of(table: object, info: str = "full", **arguments: object) -> RecordedSteps:
    return RecordedSteps.of(RoutingProblem(table, observation="none", **arguments), info)


def test_what_a_step_gave_may_be_changed():
    steps = steps_of(random_table())
    first = steps.step(1, 2, 0, 4)
    expected = copy.deepcopy(first)
    first[1]["reward_terms"].clear()
    first[1].clear()
    assert steps.step(1, 2, 0, 4) == expected


def test_the_next_prompt_is_that_of_the_step_not_of_the_one_before():
    steps = steps_of(random_table())
    assert [steps.step(1, 2, 0, following)[1]["next_prompt"] for following in (4, 5)] == [
        "art question 4?",
        "art question 5?",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {"weights": (1.0, 0.5, 0.4)},
        {"reward": "additive"},
        {"t_scaling": 2.0},
        {"cost_scale_usd": 1.0},
        {"split": "train"},
        {"info": "numbers"},
    ],
)
def test_environments_share_steps_only_if_these_are_the_same(arguments: dict[str, object]):
    table = random_table()
    steps = steps_of(table)
    assert steps_of(table, context="art") is steps
    assert steps_of(table, **arguments) is not steps
    assert steps_of(random_table()) is not steps


def test_only_so_many_infos_are_kept(monkeypatch: pytest.MonkeyPatch):
    table = random_table()
    unbounded = [steps_of(table, split="all").step(query, 0, 0, 0) for query in range(10)]
    monkeypatch.setattr(recorded, "KEPT_CELLS", 3)
    steps = RecordedSteps(RoutingProblem(table, observation="none", split="all"), "full")
    assert [steps.step(query, 0, 0, 0) for query in range(10)] == unbounded
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
