"""What agents are told and what is true: noisy scorers, poisoned feedback, and who is judged by what."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tables import random_table

from llm_routing_env.agents import make_agent
from llm_routing_env.envs import PickLLMEnv, PickLLMVectorEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import compare, run_sessions
from llm_routing_env.scenarios import read_scenario
from llm_routing_env.tables.cells import Cells

TABLE = random_table(per_context=30, n_repeats=2)
OWN = Cells.of(TABLE, TABLE.scorer)
A, B = TABLE.llm_names[:2]


def last(*events: dict[str, Any], own: Cells = OWN) -> Cells:
    return read_scenario(list(events), TABLE.llm_names, lambda cells: np.zeros(4))(own)[-1].cells


def noisy(rate: float, **more: Any) -> dict[str, Any]:
    return {"event": "noisy_scorer", "step": 2, "rate": rate, **more}


def poisoned(rate: float, value: Any, **more: Any) -> dict[str, Any]:
    return {"event": "poisoned_feedback", "llm": A, "step": 2, "rate": rate, "value": value, **more}


def told(cells: Cells) -> np.ndarray:
    assert cells.told is not None
    return cells.told


def test_scores_are_turned_round_in_either_direction_and_the_truth_stays():
    graded = replace(OWN, accuracy=np.where(OWN.accuracy > 0, 0.75, 0.25))
    for direction, right, wrong in (
        ("both", 0.25, 0.75),
        ("right_to_wrong", 0.25, 0.25),
        ("wrong_to_right", 0.75, 0.75),
    ):
        cells = last(noisy(1, direction=direction), own=graded)
        np.testing.assert_array_equal(told(cells), np.where(OWN.accuracy > 0, right, wrong))
        np.testing.assert_array_equal(cells.accuracy, graded.accuracy)


def test_so_many_are_turned_as_the_rate_says_of_one_llm_or_all_and_the_same_ones_always():
    turned = told(last(noisy(0.3))) != OWN.accuracy
    assert abs(turned.mean() - 0.3) < 4 * np.sqrt(0.21 / turned.size)
    of_one = told(last(noisy(0.3, llm=B))) != OWN.accuracy
    np.testing.assert_array_equal(of_one[:, 1], turned[:, 1])
    assert not of_one[:, [0, 2, 3]].any()
    assert (told(last(noisy(0.3, seed=1))) != told(last(noisy(0.3)))).any()
    assert not (told(last(noisy(0))) != OWN.accuracy).any()


def test_poison_makes_an_llms_answers_look_right_or_wrong():
    for value in (0, 1):
        cells = last(poisoned(1, value))
        assert (told(cells)[:, 0] == value).all()
        np.testing.assert_array_equal(told(cells)[:, 1:], OWN.accuracy[:, 1:])
        np.testing.assert_array_equal(cells.accuracy, OWN.accuracy)


def test_what_is_told_is_of_what_is_true_in_whatever_order_they_are_listed():
    fails = {"event": "outage", "llm": A, "step": 2, "hidden": True}
    wrong = {"event": "quality", "llm": B, "step": 2, "probability": 1}
    for events in ([noisy(1), fails, wrong], [fails, wrong, noisy(1)]):
        cells = last(*events)
        assert (told(cells)[:, 0] == 0).all()  # a call that failed is seen to have
        assert (told(cells)[:, 1] == 1).all()
        assert (cells.accuracy[:, :2] == 0).all()
    both = last(noisy(1), poisoned(1, 1))
    assert (told(both)[:, 0] == 1).all()


def test_every_environment_tells_one_reward_and_says_the_other():
    arguments: dict[str, Any] = {
        "table": TABLE,
        "observation": "none",
        "scenario": [poisoned(1, 1)],
        "weights": [1, 0, 0],
    }
    arguments |= {"reward": "additive", "info": "numbers"}
    env, vector = PickLLMEnv(**arguments), PickLLMVectorEnv(2, 5, **arguments)
    env.reset(seed=0)
    vector.reset(seed=0)
    differ = 0
    for step in range(5):
        _, reward, _, _, info = env.step(0)
        _, rewards, _, _, infos = vector.step(np.zeros(2, dtype=np.int64))
        assert rewards[0] == reward
        if step < 4:  # then the session has ended
            assert infos["true_reward"][0] == info["true_reward"]
        assert (
            reward == info["accuracy"] == info["reward_terms"]["accuracy"] == (1 if step >= 2 else info["true_reward"])
        )
        assert info["true_reward"] == info["true_accuracy"]
        differ += reward != info["true_reward"]
    assert differ
    assert "true_reward" not in _step_of(PickLLMEnv(**arguments | {"scenario": "price_cut"}))


def _step_of(env: PickLLMEnv) -> dict[str, Any]:
    env.reset(seed=0)
    return env.step(0)[4]


def test_regrets_references_and_the_oracle_follow_the_truth():
    honest, lied = (RoutingProblem(TABLE, scenario=events, observation="none") for events in (None, [noisy(1)]))
    for phase in np.split(np.arange(2 * TABLE.n_queries), 2):
        np.testing.assert_array_equal(lied.truth.regrets[phase], honest.truth.regrets)
        np.testing.assert_array_equal(lied.truth.oracle_regrets[phase], honest.truth.oracle_regrets)
        np.testing.assert_array_equal(lied.reward_table.rewards[phase], honest.reward_table.rewards)
    assert (lied.told_rewards[TABLE.n_queries :] != honest.reward_table.rewards).any()
    assert lied.fingerprint != honest.fingerprint


class Listening:
    """Asks the first LLM, and remembers what it is told."""

    def __init__(self, task: Any, *, n_sessions: int, seed: Any = None) -> None:
        self.agent, self.heard = make_agent("fixed", task, n_sessions=n_sessions, llm=A), []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.agent, name)

    def update(self, observation: Any, action: Any, reward: Any, outcome: Any) -> None:
        """Remember."""
        self.heard.append((reward, outcome["accuracy"]))


def test_agents_learn_from_what_they_are_told_and_are_judged_by_the_truth():
    events = [poisoned(1, 1) | {"step": 0}]
    env = PickLLMVectorEnv(3, 10, "DISABLED", table=TABLE, observation="none", scenario=events, context="art")
    agent = Listening(env.task, n_sessions=3)
    log = run_sessions(env, agent, [1, 2, 3], contexts=["art"] * 3)
    heard, right = (np.stack(each, axis=1) for each in zip(*agent.heard, strict=True))
    assert (right == 1).all()
    drawn = [env.problem.draw_session(np.random.default_rng(seed), "art") for seed in (1, 2, 3)]
    places = [np.stack([getattr(session, name)[:10] for session in drawn]) for name in ("queries", "repeats")]
    np.testing.assert_array_equal(log.measures["accuracy"], OWN.accuracy[places[0], 0, places[1]])
    np.testing.assert_array_equal(log.rewards, env.problem.reward_table.rewards[places[0], 0, places[1]])
    assert (heard > log.rewards).any()


def test_a_comparison_judges_who_does_not_listen_alike_under_noise():
    given: dict[str, Any] = {"table": TABLE, "n_sessions": 4, "length": 12, "seed": 0}
    honest, lied = (compare(["random"], **given, scenario=events) for events in (None, [noisy(1) | {"step": 0}]))
    assert lied.metrics["random"] == honest.metrics["random"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (noisy(1.5), "event 1 (noisy_scorer): rate must be a number from 0 to 1, got 1.5"),
        (noisy("much"), "rate must be a number from 0 to 1, got 'much'"),
        (noisy(0.1, direction="up"), "Unknown direction 'up'. Known: both, right_to_wrong, wrong_to_right."),
        (noisy(0.1, direction=3), "Unknown direction 3."),
        (noisy(0.1, llm=3), "llm must be a name, got 3"),
        (noisy(0.1, llm="llm-9"), "Unknown LLM of a scenario 'llm-9'. Did you mean"),
        (noisy(0.1, seed=-1), "seed must be a whole number, 0 or more, got -1"),
        ({"event": "noisy_scorer", "step": 1}, "the event 'noisy_scorer' needs 'rate'"),
        (poisoned(1, 0.5), "event 1 (poisoned_feedback): value must be 0 or 1, got 0.5"),
        (poisoned(1, True), "value must be 0 or 1, got True"),
        (poisoned(-1, 1), "rate must be a number from 0 to 1, got -1"),
        (poisoned(1, 1, llm=None), "llm must be a name, got None"),
    ],
)
def test_what_cannot_be_is_one_line(event: Any, said: str):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        RoutingProblem(TABLE, scenario=[event], observation="none")
    assert "\n" not in str(caught.value)
