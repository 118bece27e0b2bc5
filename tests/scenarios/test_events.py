"""Events of scenarios: what each changes, by hand; composed at random, all environments agree and regrets are right."""

import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import assert_same_steps
from tables import random_table
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.envs import PickLLMEnv, PickLLMVectorEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.scenarios import PRESETS, phases_of, read_scenario
from llm_routing_env.scenarios.roles import ROLES, find_llm
from llm_routing_env.tables.cells import Cells

CURVE = {"concurrency": [1, 4], "latency_s": [0.1, 0.4]}
LLMS = [f"llm-{number}" for number in range(4)]
TABLE = random_table(per_context=9, n_repeats=2).with_metadata({"load_curve": {"llms": dict.fromkeys(LLMS, CURVE)}})
OTHER_TABLE = random_table(seed=1, per_context=9, n_repeats=2).with_metadata(TABLE.metadata)
FOLDER = tempfile.TemporaryDirectory()
OTHER = str(Path(FOLDER.name) / "other.parquet")
OTHER_TABLE.write(OTHER)
OWN = Cells.of(TABLE, TABLE.scorer)
A, B = TABLE.llm_names[:2]
Event = dict[str, Any]


def phases(*events: Event) -> dict[int, Cells]:
    return {phase.step: phase.cells for phase in read_scenario(list(events), TABLE.llm_names, worth)(OWN)}


def worth(cells: Cells) -> np.ndarray:
    """Return what nobody asks for here."""
    raise AssertionError


def same(cells: Cells, other: Cells) -> bool:
    return all(
        np.array_equal(getattr(cells, name), getattr(other, name), equal_nan=name != "available")
        for name in ("accuracy", "cost_usd", "latency_s", "failed", "available")
    )


def test_a_price_is_multiplied_from_its_step_until_its_end():
    found = phases({"event": "price", "llm": B, "step": 3, "until": 7, "factor": 0.25})
    assert list(found) == [0, 3, 7]
    assert same(found[0], OWN)
    assert same(found[7], OWN)
    expected = OWN.cost_usd.copy()
    expected[:, 1] *= 0.25
    assert same(found[3], replace(OWN, cost_usd=expected))


def test_events_at_step_0_and_beyond_the_end_and_a_price_of_0():
    found = phases(
        {"event": "price", "llm": A, "step": 0, "factor": 0}, {"event": "price", "llm": A, "step": 10**6, "factor": 2}
    )
    assert list(found) == [0, 10**6]
    assert (found[0].cost_usd[:, 0] == 0).all()
    env = PickLLMEnv(table=TABLE, observation="none", scenario=[{"event": "price", "llm": A, "step": 0, "factor": 0}])
    env.reset(seed=0)
    assert env.step(0)[4]["cost_usd"] == 0


def test_two_events_on_one_llm_compose_in_their_order():
    found = phases(
        {"event": "price", "llm": A, "step": 2, "factor": 3},
        {"event": "price", "llm": A, "step": 4, "factor": 5},
        {"event": "latency", "llm": A, "step": 4, "factor": 0.5},
    )
    np.testing.assert_allclose(found[4].cost_usd[:, 0], OWN.cost_usd[:, 0] * 15)
    np.testing.assert_allclose(found[4].latency_s[:, 0], OWN.latency_s[:, 0] / 2)
    assert same(found[2], phases({"event": "price", "llm": A, "step": 2, "factor": 3})[2])


def test_a_gradual_latency_rises_to_its_factor_in_stages_of_equal_ratio():
    found = phases({"event": "latency", "llm": A, "step": 10, "factor": 8.0, "over": 90})
    steps = list(found)
    assert steps == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    ratios = [float((found[step].latency_s[:, 0] / OWN.latency_s[:, 0]).mean()) for step in steps]
    assert ratios[0] == 1
    assert ratios[-1] == pytest.approx(8)
    np.testing.assert_allclose(np.diff(np.log(ratios[1:])), np.log(8) / 10, rtol=1e-6)
    assert list(phases({"event": "latency", "llm": A, "step": 1, "factor": 2, "over": 2})) == [0, 1, 2, 3]


def test_right_answers_turn_wrong_with_the_probability_and_the_same_ones_always():
    event = {"event": "quality", "llm": A, "step": 1, "probability": 0.5}
    big = random_table(per_context=400, n_repeats=2)
    own = Cells.of(big, big.scorer)
    first, again = (read_scenario([event], big.llm_names, worth)(own)[1].cells.accuracy for _ in range(2))
    other = read_scenario([event | {"seed": 1}], big.llm_names, worth)(own)[1].cells.accuracy
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    right = own.accuracy[:, 0] > 0
    lost = (first[:, 0] == 0)[right].mean()
    assert abs(lost - 0.5) < 4 * 0.5 / np.sqrt(right.sum())
    np.testing.assert_array_equal(first[:, 1:], own.accuracy[:, 1:])
    assert (phases(event | {"probability": 0})[1].accuracy == OWN.accuracy).all()
    assert (phases(event | {"probability": 1})[1].accuracy[:, 0] == 0).all()


def test_an_outage_is_masked_or_fails():
    shown = phases({"event": "outage", "llm": B, "step": 2, "until": 4})
    assert [bool(shown[step].available[:, 1].any()) for step in (0, 2, 4)] == [True, False, True]
    hidden = phases({"event": "outage", "llm": B, "step": 2, "hidden": True})[2]
    assert hidden.available.all()
    assert hidden.failed[:, 1].all()
    assert not hidden.failed[:, 0].any()
    assert (hidden.accuracy[:, 1] == 0).all()
    assert (hidden.cost_usd[:, 1] == 0).all()


def test_a_hidden_outage_gives_the_lower_bound_and_says_why_in_every_environment():
    arguments: dict[str, Any] = {"table": TABLE, "observation": "none", "info": "full"}
    arguments["scenario"] = [{"event": "outage", "llm": A, "step": 1, "hidden": True}]
    env, vector = PickLLMEnv(**arguments), PickLLMVectorEnv(2, 5, **arguments)
    env.reset(seed=0)
    vector.reset(seed=0)
    first = env.step(0)
    assert first[4]["error"] == ""
    _, reward, _, _, info = env.step(0)
    assert (info["error"], info["response"]) == ("the scenario's outage: the LLM does not answer", "")
    assert reward == env.problem.reward.bounds[0]
    vector.step(np.array([0, 0]))
    told = vector.step(np.array([0, 1]))[4]
    assert told["error"].tolist() == ["the scenario's outage: the LLM does not answer", ""]
    assert told["response"][0] == ""
    assert told["response"][1] != ""


def test_llms_come_and_go():
    come = phases({"event": "new_llm", "llm": A, "step": 5})
    assert [bool(come[step].available[:, 0].any()) for step in (0, 5)] == [False, True]
    gone = phases({"event": "retired_llm", "llm": A, "step": 5})
    assert [bool(gone[step].available[:, 0].any()) for step in (0, 5)] == [True, False]


def test_roles_are_of_the_table():
    means = {"cheapest": OWN.cost_usd, "dearest": -OWN.cost_usd, "fastest": OWN.latency_s, "slowest": -OWN.latency_s}
    means |= {"best": -OWN.accuracy, "worst": OWN.accuracy}
    for role, values in means.items():
        assert find_llm(role, TABLE.llm_names, OWN, worth) == int(np.argmin(values.mean(axis=(0, 2)))), role
    assert find_llm("best", ("a", "best", "c", "d"), OWN, worth) == 1  # a name comes first
    assert means.keys() == ROLES.keys()
    assert find_llm("favourite", TABLE.llm_names, OWN, lambda cells: np.array([0.0, 2.0, 1.0, -1.0])) == 1


OF_AN_LLM = st.one_of(
    st.fixed_dictionaries({"event": st.just("price"), "factor": st.sampled_from([0, 0.1, 7.5])}),
    st.fixed_dictionaries(
        {"event": st.just("latency"), "factor": st.sampled_from([0.5, 20]), "over": st.sampled_from([0, 2])}
    ),
    st.fixed_dictionaries({"event": st.just("quality"), "probability": st.sampled_from([0.3, 1])}),
    st.fixed_dictionaries({"event": st.just("outage"), "hidden": st.booleans(), "until": st.sampled_from([None, 30])}),
    st.fixed_dictionaries({"event": st.sampled_from(["new_llm", "retired_llm"])}),
    st.fixed_dictionaries(
        {
            "event": st.just("poisoned_feedback"),
            "rate": st.sampled_from([0.5, 1]),
            "value": st.sampled_from([0, 1]),
        }
    ),
    st.fixed_dictionaries(
        {
            "event": st.just("noisy_scorer"),
            "rate": st.sampled_from([0.3, 1]),
            "direction": st.sampled_from(["both", "right_to_wrong", "wrong_to_right"]),
        }
    ),
)
OF_ALL = st.one_of(
    st.fixed_dictionaries(
        {
            "event": st.just("context_shift"),
            "context": st.sampled_from(["next", "chess", "mixed"]),
            "over": st.sampled_from([0, 2]),
        }
    ),
    st.fixed_dictionaries(
        {"event": st.just("load"), "in_flight": st.sampled_from([1, 3, 100]), "over": st.sampled_from([0, 2])}
    ),
    st.fixed_dictionaries({"event": st.just("noisy_scorer"), "rate": st.just(0.5)}),
    st.fixed_dictionaries({"event": st.just("table"), "table": st.just(OTHER)}),
)
# The last LLM is left alone, so that somebody can always be asked.
EVENT = st.one_of(st.builds(lambda event, llm: event | {"llm": LLMS[llm]}, OF_AN_LLM, st.integers(0, 2)), OF_ALL)
AT_A_STEP = st.builds(lambda event, step: event | {"step": step}, EVENT, st.integers(0, 9))
# Where steps are drawn, events keep to stretches of four steps of their own.
DRAWN = st.lists(st.tuples(EVENT, st.sampled_from([0, [0, 1]])), min_size=1, max_size=2).map(
    lambda found: [
        event | {"step": 4 * n + step if step == 0 else [4 * n, 4 * n + 1]} for n, (event, step) in enumerate(found)
    ]
)
SCENARIO = st.one_of(st.lists(AT_A_STEP, min_size=1, max_size=4), DRAWN)


@settings(max_examples=40, deadline=None)
@given(
    SCENARIO,
    st.integers(0, 2**31),
    st.sampled_from(["SAME_STEP", "NEXT_STEP", "DISABLED"]),
    st.sampled_from(["full", "numbers", "none"]),
)
def test_a_vector_equals_scalar_environments_under_random_events(
    scenario: list[Event], seed: int, mode: str, info: str
):
    arguments: dict[str, Any] = {"table": TABLE, "observation": "context", "scenario": scenario, "info": info}
    arguments["split"] = "all"
    ours = PickLLMVectorEnv(3, 8, mode, **arguments)
    theirs = SyncVectorEnv([lambda: TimeLimit(PickLLMEnv(**arguments), 8)] * 3, autoreset_mode=AutoresetMode[mode])
    assert_same_steps(ours, theirs, seed=seed, mode=mode, n_steps=20)


@settings(max_examples=40, deadline=None)
@given(SCENARIO, st.sampled_from(["pickllm", "additive"]))
def test_regrets_in_every_phase_are_those_of_a_computation_of_their_own(scenario: list[Event], reward: str):
    arguments: dict[str, Any] = {"scenario": scenario, "reward": reward, "observation": "none", "split": "all"}
    problem, env = RoutingProblem(TABLE, **arguments), PickLLMEnv(table=TABLE, **arguments)
    asked = env.reset(seed=1, options={"context": "art"})[1]["query_id"]
    session = problem.draw_session(seeding.np_random(1)[0], "art")
    phases = phases_of(OWN, read_scenario(scenario, TABLE.llm_names, worth))
    for step in range(9):
        cells, query = phases[session.phases[step]].cells, TABLE.query_ids.index(asked)
        action = int(np.flatnonzero(cells.available[query])[step % cells.available[query].sum()])
        _, told, _, _, info = env.step(action)
        rewards = _rewards(problem, cells, cells.accuracy, reward)
        here = problem.queries_of(info["context"])
        means = rewards[here].mean(axis=(0, 2))
        means = np.where(cells.available[here].any(axis=0), means, -np.inf)
        assert info["regret"] == pytest.approx(means.max() - means[action], abs=1e-9)
        best = rewards[query].mean(axis=1)[cells.available[query]].max()
        assert info["oracle_regret"] == pytest.approx(best - rewards[query, action].mean(), abs=1e-9)
        place = (query, action, session.repeats[step])
        seen = cells.accuracy if cells.told is None else cells.told
        assert told == pytest.approx(_rewards(problem, cells, seen, reward)[place], abs=1e-9)
        assert info["accuracy"] == seen[place]
        assert info.get("true_reward", told) == pytest.approx(rewards[place], abs=1e-9)
        assert info.get("true_accuracy", info["accuracy"]) == cells.accuracy[place]
        asked = TABLE.query_ids[session.queries[min(step + 1, 8)]]


def _rewards(problem: RoutingProblem, cells: Cells, accuracies: np.ndarray, form: str) -> np.ndarray:
    """Return the rewards of a phase by the formula, failed calls at the bound."""
    reward = problem.reward
    cost = cells.cost_usd / reward.cost_scale_usd
    log_ms = np.log10(np.maximum(cells.latency_s * 1000, 10)) / reward.t_scaling
    accuracy, price, speed = reward.weights
    worth = accuracy * accuracies - price * cost
    found = worth / (speed * log_ms) if form == "pickllm" else worth - speed * log_ms
    return np.where(cells.failed, reward.bounds[0], found)


def test_a_spec_with_events_makes_the_same_environment_again():
    events = [{"event": "price", "llm": "dearest", "step": 2, "factor": 0.5}]
    env = gym.make("PickLLM-v0", scenario=events, observation="none")
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    for each in (env, again):
        each.reset(seed=3)
    for _ in range(5):
        assert env.step(3)[1] == again.step(3)[1]


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_fit_the_shipped_table_and_change_something(name: str):
    problem = RoutingProblem("nano", scenario=name, observation="none")
    assert len(problem.first_steps) > 1
    assert problem.first_steps[1] < 200
    assert problem.fingerprint != RoutingProblem("nano", observation="none").fingerprint


def test_toml_is_a_scenario_too(tmp_path: Path):
    path = tmp_path / "drift.toml"
    path.write_text('[[events]]\nevent = "price"\nllm = "dearest"\nstep = 2\nfactor = 0.5\n')
    found = read_scenario(str(path), TABLE.llm_names, worth)(OWN)
    assert [phase.step for phase in found] == [0, 2]


@pytest.mark.parametrize(
    ("given_scenario", "said"),
    [
        ("outge", "Unknown scenario 'outge'. Did you mean 'outage'?"),
        ([], "expected a list of events, got []"),
        ([5], "event 1: expected a mapping with 'event'"),
        ([{"event": "prise", "llm": A, "step": 1}], "event 1: Unknown event 'prise'. Did you mean 'price'?"),
        ([{"event": "price", "llm": A, "step": 1}], "event 1: the event 'price' needs 'factor'"),
        ([{"event": "price", "llm": A, "step": 1, "factr": 2}], "Unknown argument 'factr'. Did you mean 'factor'?"),
        ([{"event": "price", "llm": "nobody", "step": 1, "factor": 2}], "Unknown LLM of a scenario 'nobody'"),
        ([{"event": "price", "llm": 3, "step": 1, "factor": 2}], "llm must be a name, got 3"),
        ([{"event": "price", "llm": A, "step": -1, "factor": 2}], "(price): step must be a whole number, 0 or more"),
        ([{"event": "price", "llm": A, "step": 1.5, "factor": 2}], "step must be a whole number"),
        ([{"event": "price", "llm": A, "step": True, "factor": 2}], "step must be a whole number"),
        ([{"event": "price", "llm": A, "step": 10**20, "factor": 2}], "step must be a whole number"),
        ([{"event": "price", "llm": A, "step": 5, "until": 5, "factor": 2}], "until must be after step 5, got 5"),
        ([{"event": "price", "llm": A, "step": 1, "factor": -2}], "factor must be a number from 0 to 1e+06, got -2"),
        ([{"event": "price", "llm": A, "step": 1, "factor": float("nan")}], "factor must be a number"),
        ([{"event": "latency", "llm": A, "step": 1, "factor": 0}], "factor must be a number from 1e-06"),
        ([{"event": "quality", "llm": A, "step": 1, "probability": 2}], "probability must be a number from 0 to 1"),
        ([{"event": "outage", "llm": A, "step": 1, "hidden": "yes"}], "hidden must be true or false"),
        ([{"event": "new_llm", "llm": A, "step": 1, "until": 3}], "until has no meaning here"),
        ([{"event": "outage", "llm": name, "step": 1} for name in TABLE.llm_names], "without an LLM that can be asked"),
    ],
)  # fmt: skip
def test_what_is_no_scenario_is_one_line(given_scenario: Any, said: str):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        RoutingProblem(TABLE, scenario=given_scenario, observation="none")
    assert "\n" not in str(caught.value)


def test_a_comparison_says_its_scenario_and_repeats_it(tmp_path: Path):
    arguments = [
        "compare",
        "--scenario",
        "outage",
        "--sessions",
        "3",
        "--agents",
        "random",
        "--out",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "Scenario outage: phases from the steps 0, 80, 140." in done.output
    again = CliRunner().invoke(app, ["compare", "--from", str(tmp_path / "out" / "results.json"), "--json"])
    without = CliRunner().invoke(app, ["compare", "--sessions", "3", "--agents", "random", "--json"])
    found = json.loads((tmp_path / "out" / "results.json").read_text())["agents"]
    assert json.loads(again.stdout)["agents"] == found
    assert json.loads(without.stdout)["agents"] != found


def test_the_favourite_has_the_highest_mean_reward_of_the_form_and_weights():
    for reward, weights, favourite in (("pickllm", (1, 0.5, 0.5), "atlas-0.8m"), ("pickllm", (1, 0, 0), "large-2.0m")):
        arguments = {
            "reward": "additive" if not any(weights[1:]) else reward,
            "weights": weights,
            "observation": "none",
        }
        problem = RoutingProblem("nano", scenario="new_kid", **arguments)
        first, second = problem.cells.available.reshape(2, -1, 4).any(axis=1)
        assert [name for name, is_there in zip(problem.table.llm_names, first, strict=True) if not is_there] == [
            favourite
        ]
        assert second.all()


@settings(max_examples=15, deadline=None)
@given(SCENARIO, st.integers(0, 2**31))
def test_stable_baselines_sees_the_same_session_under_random_events(scenario: list[Event], seed: int):
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    arguments: dict[str, Any] = {"table": TABLE, "observation": "context", "scenario": scenario, "split": "all"}
    env, wrapped = PickLLMEnv(**arguments), vec_env.DummyVecEnv([lambda: PickLLMEnv(**arguments)])
    observation, _ = env.reset(seed=seed)
    wrapped.seed(seed)
    np.testing.assert_array_equal(wrapped.reset()[0], observation)
    for step in range(8):
        allowed = np.flatnonzero(env.action_masks())
        action = int(allowed[step % len(allowed)])
        observation, reward, _, truncated, _ = env.step(action)
        seen, rewards, ended, _ = wrapped.step(np.array([action]))
        assert rewards[0] == pytest.approx(reward, rel=1e-6)
        if truncated:
            assert ended[0]
            return
        np.testing.assert_array_equal(seen[0], observation)
