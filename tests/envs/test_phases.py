"""Masks and phases: scalar, vector and live environments agree, and nobody asks an LLM that cannot be asked."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import allowed_actions, assert_equal, assert_same_steps
from tables import random_table, sparse_table

from llm_routing_env.backends import Request, TableBackend, ask
from llm_routing_env.backends.base import Answers
from llm_routing_env.envs import PickLLMEnv, PickLLMLiveVectorEnv, PickLLMVectorEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.tables.cells import Cells
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query
from llm_routing_env.tables.table import OutcomeTable

N = 3
TABLE = random_table(per_context=9, n_repeats=1)
SPARSE = sparse_table(per_context=20, missing_share=0.4)
MODES = ("SAME_STEP", "NEXT_STEP", "DISABLED")


def outage(seed: int, steps: Sequence[int], share: float = 0.5, dearer: bool = True) -> Any:
    """Return a scenario in which LLMs come and go from phase to phase, and grow dearer."""

    def scenario(cells: Cells) -> list[tuple[int, Cells]]:
        rng = np.random.default_rng(seed)
        phases = []
        for number, step in enumerate((0, *steps)):
            available = rng.random(cells.available.shape) < share
            available[np.arange(len(available)), rng.integers(4, size=len(available))] = True
            cost_usd = cells.cost_usd * (1 + number if dearer else 1)
            phases.append((step, replace(cells, available=available, cost_usd=cost_usd)))
        return phases

    return scenario


class TableLLMs:
    """Live LLMs that say what is right where the table has an accuracy of 1, as dear and as slow as there."""

    def __init__(self, table: OutcomeTable) -> None:
        self._table, self.llm_names, self.asked = TableBackend(table, table.scorer), table.llm_names, 0

    def _answer(self, query: Query, llm: int) -> Outcome:
        self.asked += 1
        outcome = ask(self._table, query, llm)
        said = query.references[0] if outcome.accuracy else "something else"
        return replace(outcome, response=said, accuracy=None)

    def ask_many(self, requests: Iterable[Request]) -> Answers:
        for number, request in enumerate(requests):
            yield number, self._answer(request.query, request.llm)

    def close(self) -> None: ...


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    steps=st.sampled_from([(), (2,), (1, 3), (0,), (5, 6, 7)]),
    context=st.sampled_from([None, "art", "mixed"]),
    reward=st.sampled_from(["pickllm", "additive"]),
    info=st.sampled_from(["full", "numbers", "none"]),
    mode=st.sampled_from(MODES),
    length=st.integers(1, 8),
)
def test_a_vector_equals_scalar_environments_under_masks_and_phases(
    seed: int, steps: tuple[int, ...], context: str | None, reward: str, info: str, mode: str, length: int
):
    steps = tuple(step for step in steps if step > 0)
    arguments: dict[str, Any] = {"table": TABLE, "observation": "context", "context": context, "reward": reward}
    arguments |= {"info": info, "scenario": outage(seed, steps)}
    ours = PickLLMVectorEnv(N, length, mode, **arguments)
    theirs = SyncVectorEnv([lambda: TimeLimit(PickLLMEnv(**arguments), length)] * N, autoreset_mode=AutoresetMode[mode])
    assert_same_steps(ours, theirs, seed=seed, mode=mode, n_steps=3 * length)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("info", ["full", "numbers", "none"])
def test_what_a_table_lacks_is_masked_in_every_environment(mode: str, info: str):
    arguments: dict[str, Any] = {"table": SPARSE, "observation": "none", "info": info, "context": "mixed"}
    ours = PickLLMVectorEnv(N, 7, mode, **arguments)
    theirs = SyncVectorEnv([lambda: TimeLimit(PickLLMEnv(**arguments), 7)] * N, autoreset_mode=AutoresetMode[mode])
    assert_same_steps(ours, theirs, seed=5, mode=mode, n_steps=20)
    env = PickLLMEnv(**(arguments | {"info": "full"}))
    _, told = env.reset(seed=1)
    waiting = told["query_id"]
    for _ in range(30):
        query = SPARSE.query_ids.index(waiting)
        assert told["action_mask"].tolist() == SPARSE.present[query].astype(int).tolist()
        assert told["action_mask"].dtype == np.int8
        told = env.step(int(np.argmax(told["action_mask"])))[4]
        assert np.isfinite([told[name] for name in ("accuracy", "cost_usd", "latency_s", "regret")]).all()
        waiting = next(query.query_id for query in SPARSE.queries if query.prompt == told["next_prompt"])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    steps=st.sampled_from([(), (2,), (1, 3)]),
    info=st.sampled_from(["full", "numbers", "none"]),
    mode=st.sampled_from(MODES),
    length=st.integers(1, 6),
)
def test_live_environments_equal_each_other_and_tell_what_recorded_ones_tell(
    seed: int, steps: tuple[int, ...], info: str, mode: str, length: int
):
    arguments: dict[str, Any] = {"table": TABLE, "observation": "context", "info": info}
    arguments["scenario"] = outage(seed, steps, dearer=False)
    live = PickLLMLiveVectorEnv(N, length, mode, backend=TableLLMs(TABLE), **arguments)
    backend = TableLLMs(TABLE)
    one_by_one = SyncVectorEnv(
        [lambda: TimeLimit(PickLLMEnv(backend=backend, **arguments), length)] * N, autoreset_mode=AutoresetMode[mode]
    )
    recorded = PickLLMVectorEnv(N, length, mode, **arguments)
    assert_equal(one_by_one.reset(seed=seed), live.reset(seed=seed))
    assert_equal(recorded.reset(seed=seed), live.reset(seed=seed))
    rng = np.random.default_rng(seed)
    for _ in range(2 * length):
        actions = allowed_actions(live.action_masks(), rng)
        step, scalar, from_table = live.step(actions), one_by_one.step(actions), recorded.step(actions)
        for ours, theirs in zip(step[:4], scalar[:4], strict=True):
            assert_equal(ours, theirs)
        for ours, theirs in zip(step[:4], from_table[:4], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        assert_told_the_same(step[4], from_table[4])
        if mode == "DISABLED" and (step[2] | step[3]).any():
            options = {"reset_mask": step[2] | step[3]}
            for env in (live, one_by_one, recorded):
                env.reset(options=dict(options))


def assert_told_the_same(live: dict[str, Any], recorded: dict[str, Any]) -> None:
    """Compare infos; what a live LLM says is its own, and only live sessions know what was spent."""
    only_live = ("ttft_s", "spent_usd", "wait_s", "n_attempts", "finish_reason", "is_cut")
    own = {*only_live, *(f"_{name}" for name in only_live), "response", "final_obs"}
    assert live.keys() - own == recorded.keys() - own
    for key in recorded.keys() - own:
        if isinstance(recorded[key], dict):
            assert_told_the_same(live[key], recorded[key])
            continue
        where = recorded.get(f"_{key}", slice(None))
        ours, theirs = live[key][where], recorded[key][where]
        if theirs.dtype.kind == "f":
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, err_msg=key)
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=key)


def two_phases(cells: Cells) -> list[tuple[int, Cells]]:
    """From step 2 the first LLM is gone, and the second costs ten times as much."""
    available, cost_usd = cells.available.copy(), cells.cost_usd.copy()
    available[:, 0] = False
    cost_usd[:, 1] *= 10
    return [(0, cells), (2, replace(cells, available=available, cost_usd=cost_usd))]


def without_first(cells: Cells) -> list[tuple[int, Cells]]:
    """From step 2 the first LLM is gone."""
    return [(step, replace(later, cost_usd=cells.cost_usd)) for step, later in two_phases(cells)]


def test_a_phase_begins_at_its_step():
    env = PickLLMEnv(TABLE, observation="none", scenario=two_phases)
    plain = PickLLMEnv(TABLE, observation="none")
    masks, costs = [env.reset(seed=4)[1]["action_mask"].tolist()], []
    assert "action_mask" not in plain.reset(seed=4)[1]
    for _ in range(4):
        info, before = env.step(1)[4], plain.step(1)[4]
        masks.append(info["action_mask"].tolist())
        costs.append(info["cost_usd"] / before["cost_usd"])
    assert masks == [[1, 1, 1, 1]] * 2 + [[0, 1, 1, 1]] * 3
    assert costs == pytest.approx([1, 1, 10, 10])
    assert env.action_masks().tolist() == [False, True, True, True]
    assert plain.action_masks().tolist() == [True] * 4


@pytest.mark.parametrize("reward", ["pickllm", "additive"])
def test_rewards_stay_within_the_bounds_whatever_a_scenario_does(reward: str):
    """A failed call gets the lower one: no answer may be worth less."""

    def dearer(cells: Cells) -> list[tuple[int, Cells]]:
        return [(0, replace(cells, cost_usd=cells.cost_usd * 100, latency_s=cells.latency_s * 10))]

    problem = RoutingProblem(TABLE, observation="none", reward=reward, scenario=dearer)
    low, high = problem.reward.bounds
    assert low <= problem.reward_table.rewards.min() < RoutingProblem(TABLE, observation="none").reward.bounds[0]
    assert problem.reward_table.rewards.max() <= high


def test_masks_show_only_where_a_session_can_meet_them():
    """Not what happens after the last query, nor what concerns another split."""

    def after_the_end(cells: Cells) -> list[tuple[int, Cells]]:
        return [(0, cells), (500, without_first(cells)[1][1])]

    def while_training(cells: Cells) -> list[tuple[int, Cells]]:
        available = cells.available.copy()
        available[TABLE.is_train, 0] = False
        return [(0, replace(cells, available=available))]

    for scenario in (after_the_end, while_training):
        assert not RoutingProblem(TABLE, observation="none", scenario=scenario).is_masked
    assert RoutingProblem(TABLE, observation="none", scenario=while_training, split="train").is_masked


def test_the_best_llm_and_the_regrets_are_those_of_the_phase():
    problem = RoutingProblem(TABLE, observation="none", scenario=two_phases)
    n_queries, art = TABLE.n_queries, problem.queries_of("art")
    means = problem.reward_table.query_means[n_queries + art].mean(axis=0)
    assert problem.truth.optimal_actions[n_queries + art[0]] == 1 + np.argmax(means[1:])
    np.testing.assert_allclose(problem.truth.regrets[n_queries + art[0], 1:], means[1:].max() - means[1:])
    before = problem.reward_table.query_means[art].mean(axis=0)
    assert problem.truth.optimal_actions[art[0]] == np.argmax(before)


def test_an_action_that_is_masked_is_refused():
    scalar = PickLLMEnv(TABLE, observation="none", scenario=two_phases)
    scalar.reset(seed=0)
    for action in (0, 1):
        scalar.step(action)
    with pytest.raises(ValueError, match="action 0 is masked: llm-0 cannot be asked this query"):
        scalar.step(0)
    scalar.step(1)
    vector = PickLLMVectorEnv(2, 10, table=TABLE, observation="none", scenario=two_phases)
    vector.reset(seed=0)
    for _ in range(2):
        vector.step(np.array([0, 0]))
    with pytest.raises(ValueError, match="action 0 of session 1 is masked: llm-0 cannot be asked this query"):
        vector.step(np.array([1, 0]))


@pytest.mark.parametrize("info", ["full", "numbers", "none"])
def test_live_a_masked_action_is_not_sent_and_gets_the_lowest_reward(info: str):
    backend = TableLLMs(TABLE)
    env = PickLLMEnv(TABLE, backend, observation="none", scenario=without_first, info=info)
    env.reset(seed=0)
    for action in (0, 1):
        env.step(action)
    _, reward, terminated, truncated, told = env.step(0)
    assert (reward, terminated, truncated, backend.asked) == (env.task.reward_bounds[0], False, False, 2)
    assert told["error"] == "llm-0 cannot be asked this query: its action is masked"
    vector = PickLLMLiveVectorEnv(2, 10, table=TABLE, backend=backend, observation="none", scenario=without_first)
    vector.reset(seed=0)
    for _ in range(2):
        vector.step(np.array([0, 0]))
    rewards, told = vector.step(np.array([1, 0]))[1::3]
    assert rewards[1] == env.task.reward_bounds[0] < rewards[0]
    assert told["error"][1].startswith("llm-0 cannot be asked")


def test_a_scenario_of_live_llms_can_take_them_away_but_not_change_what_they_answer():
    with pytest.raises(ValueError, match="The phase from step 2 changes cost_usd, but live LLMs answer as they do"):
        PickLLMEnv(TABLE, TableLLMs(TABLE), observation="none", scenario=two_phases)


def test_a_scenario_is_named_as_json_can_hold_it():
    env = gym.make("PickLLM-v0", table="nano", observation="none", scenario=f"{__name__}:two_phases")
    assert "two_phases" in env.spec.to_json()
    assert env.reset(seed=0)[1]["action_mask"].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (lambda cells: [], "must begin at rising whole steps, the first at 0; got \\[\\]"),
        (lambda cells: [(3, cells)], "the first at 0; got \\[3\\]"),
        (lambda cells: [(0, cells), (0, cells)], "rising whole steps"),
        (
            lambda cells: [(0, replace(cells, available=np.zeros_like(cells.available)))],
            "The phase from step 0 leaves query 0 without an LLM that can be asked",
        ),
        (
            lambda cells: [(0, cells), (5, replace(cells, cost_usd=cells.cost_usd[:3]))],
            "The phase from step 5 must have cost_usd of shape \\(27, 4, 1\\), got \\(3, 4, 1\\)",
        ),
        (lambda cells: [(0, cells), (2.5, cells)], "rising whole steps, the first at 0; got \\[0, 2.5\\]"),
        (lambda cells: None, "must make a list of \\(first step, Cells\\): 'NoneType' object is not iterable"),
        (lambda cells: [(0, None)], "The phase from step 0 must be Cells, got NoneType"),
        ("numpy:pi", "must make a list of \\(first step, Cells\\): 'float' object is not callable"),
        (
            lambda cells: [(0, replace(cells, accuracy=np.full_like(cells.accuracy, np.nan)))],
            "The phase from step 0 lets an LLM be asked of which no outcome is known",
        ),
        ("nowhere:nothing", "Cannot load scenario 'nowhere:nothing': No module named 'nowhere'"),
        ("price_wor", "Unknown scenario 'price_wor'. Did you mean 'price_war'"),
    ],
)
def test_scenarios_that_cannot_be_are_refused(scenario: Any, message: str):
    with pytest.raises(ValueError, match=message):
        PickLLMEnv(TABLE, observation="none", scenario=scenario)


def test_live_info_is_of_the_query_that_was_asked_whatever_the_number_of_llms():
    """The pool has more LLMs than the table: a cell beyond the table's last LLM is another query's."""
    few = random_table(per_context=9, n_llms=3, n_repeats=2)
    backend = TableLLMs(TABLE)
    pool = Pool("four", tuple(LLMSpec(name, 1.0, 1.0, base_url="http://nowhere/v1") for name in TABLE.llm_names))
    env = PickLLMEnv(few, backend, pool=pool, observation="none")
    _, told = env.reset(seed=0)
    for _ in range(5):
        waiting = told["next_prompt"] if "next_prompt" in told else told["prompt"]
        told = env.step(3)[4]
        assert told["prompt"] == waiting
