"""Learners of Stable-Baselines3 that are judged while they learn."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from faulty_server import faulty_server

from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.contestants import Block
from llm_routing_env.evaluation.live_access import LiveAccess
from llm_routing_env.evaluation.sb3 import SB3_ALGORITHMS, OnlineContestant
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.evaluation.setting import Setting


class Watched(OnlineContestant):
    """Keeps its models, and their parameters before they learned."""

    def __init__(self, agent: str, parameters: dict[str, Any]) -> None:
        super().__init__(agent, parameters)
        self.models: list[Any] = []
        self.first_parameters: list[list[np.ndarray]] = []

    def _new_model(self, env: Any, seed: int) -> Any:
        self.models.append(super()._new_model(env, seed))
        self.first_parameters.append(parameters_of(self.models[-1]))
        return self.models[-1]


def parameters_of(model: Any) -> list[np.ndarray]:
    return [values.detach().numpy().copy() for values in model.policy.parameters()]


def ignore(n_queries: int) -> None:
    pass


def assert_equal(some: SessionLog, other: SessionLog) -> None:
    for field in fields(SessionLog):
        np.testing.assert_equal(getattr(some, field.name), getattr(other, field.name), err_msg=field.name)


@pytest.mark.parametrize("agent", SB3_ALGORITHMS)
def test_sessions_are_those_that_other_agents_face(agent: str, setting: Setting, block: Block):
    """In a random table the latency tells query, LLM and repeat: equal latencies are equal queries in equal order."""
    log = OnlineContestant(agent, {}).run(setting, block, ignore)
    env = setting.vector_env(2, "none")
    env.reset(seed=list(block.seeds), options={"context": list(block.contexts)})
    for step in range(block.length):
        _, rewards, _, truncated, info = env.step(log.actions[:, step])
        np.testing.assert_array_equal(log.rewards[:, step], rewards)
        for name, values in log.measures.items():
            np.testing.assert_array_equal(values[:, step], info[name], err_msg=name)
    assert truncated.all()


@pytest.mark.parametrize("agent", SB3_ALGORITHMS)
def test_the_same_seed_gives_the_same_log_and_another_another(agent: str, setting: Setting, block: Block):
    log = OnlineContestant(agent, {}).run(setting, block, ignore)
    assert_equal(log, OnlineContestant(agent, {}).run(setting, block, ignore))
    other = OnlineContestant(agent, {}).run(replace(setting, seed=4), block, ignore)
    assert (log.actions != other.actions).any()


def test_a_session_does_not_depend_on_its_block(setting: Setting, block: Block):
    log = OnlineContestant("a2c", {}).run(setting, block, ignore)
    alone = Block(block.contexts[1:], block.seeds[1:], block.length)
    assert_equal(log.rows(slice(1, 2)), OnlineContestant("a2c", {}).run(setting, alone, ignore))


@pytest.mark.parametrize("agent", SB3_ALGORITHMS)
def test_every_session_has_a_model_of_its_own_that_learns_in_it(agent: str, setting: Setting, block: Block):
    contestant = Watched(agent, {})
    contestant.run(setting, block, ignore)
    assert len(contestant.models) == 2
    for model, before in zip(contestant.models, contestant.first_parameters, strict=True):
        assert model._n_updates > 0
        assert any((old != new).any() for old, new in zip(before, parameters_of(model), strict=True))
    assert (contestant.first_parameters[0][0] != contestant.first_parameters[1][0]).any()


@pytest.mark.parametrize(("n_steps", "n_rollouts"), [(5, 3), (8, 1)])
def test_a_rollout_is_learned_from_if_it_fits_into_the_session(
    n_steps: int, n_rollouts: int, setting: Setting, block: Block
):
    """Of 15 queries: three rollouts of 5, or one of 8, the second not filled with queries of another session."""
    routed: list[int] = []
    contestant = Watched("ppo", {"n_steps": n_steps, "batch_size": n_steps, "n_epochs": 2})
    log = contestant.run(setting, block, routed.append)
    assert routed == [1] * 30
    assert log.actions.shape == log.rewards.shape == log.propensities.shape == (2, 15)
    assert [model._n_updates for model in contestant.models] == [2 * n_rollouts] * 2


def test_a_session_may_be_shorter_than_the_setting_allows(setting: Setting):
    block = Block(("art",), (5,), 40)
    assert OnlineContestant("ppo", {}).run(replace(setting, length=200), block, ignore).rewards.shape == (1, 40)


@pytest.mark.parametrize("agent", ["ppo", "a2c"])
def test_propensities_are_those_that_the_algorithm_itself_notes(agent: str, setting: Setting, block: Block):
    contestant = Watched(agent, {"n_steps": 5} | ({"batch_size": 5} if agent == "ppo" else {}))
    log = contestant.run(setting, block, ignore)
    noted = np.array([np.exp(model.rollout_buffer.log_probs[:, 0]) for model in contestant.models])
    np.testing.assert_allclose(log.propensities[:, -5:], noted, rtol=1e-5)


def test_dqn_is_epsilon_greedy_once_it_has_started_to_learn(setting: Setting, block: Block):
    """Epsilon falls linearly from 1 to 0.1 over the 15 queries."""
    given = {"learning_starts": 5, "exploration_fraction": 1.0, "exploration_final_eps": 0.1}
    log = OnlineContestant("dqn", given).run(setting, block, ignore)
    np.testing.assert_array_equal(log.propensities[:, :5], 0.25)
    for step in range(5, 15):
        epsilon = 1 - 0.9 * step / 15
        for propensity in log.propensities[:, step]:
            assert propensity in (pytest.approx(epsilon / 4), pytest.approx(1 - epsilon + epsilon / 4))
    np.testing.assert_allclose(np.sort(log.final_probabilities), [[0.025, 0.025, 0.025, 0.925]] * 2)


def test_propensities_are_kept_on_demand_only(setting: Setting, block: Block):
    log = OnlineContestant("a2c", {}).run(setting, block, ignore)
    quiet = OnlineContestant("a2c", {}).run(replace(setting, propensities=False), block, ignore)
    assert quiet.propensities is None
    assert_equal(replace(log, propensities=None), quiet)
    np.testing.assert_allclose(log.final_probabilities.sum(axis=1), 1.0)
    assert np.isnan(log.commit_steps).all()
    assert (log.commitments == -1).all()


def test_a_live_session_asks_once_per_query(setting: Setting, tmp_path: Path):
    """Of 6 queries, rollouts of 4 fill one and a half: nobody is asked for the rest of the second."""
    with faulty_server() as server:
        llms = "".join(
            f'[[llm]]\nname = "llm-{number}"\nserved_name = "good"\nbase_url = "{server.base_url}"\n'
            "input_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 1.0\n"
            for number in range(4)
        )
        (tmp_path / "pool.toml").write_text(f'name = "p"\n{llms}')
        live = replace(setting, live=LiveAccess("vllm", str(tmp_path / "pool.toml")), length=6)
        log = OnlineContestant("a2c", {"n_steps": 4}).run(live, Block(("art",), (5,), 6), ignore)
        assert len(server.requests) == 6
    assert log.actions.shape == (1, 6)
    np.testing.assert_allclose(log.measures["cost_usd"], 110e-6)  # 100 tokens in and 10 out, a dollar a million


def test_torch_gets_its_threads_back(setting: Setting, block: Block):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    OnlineContestant("a2c", {}).run(setting, block, ignore)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_rewards_that_come_late_are_refused_before_anything_is_run():
    with pytest.raises(ValueError, match=r"ppo \(online\) learns from a reward at once"):
        compare(["ppo@online"], n_sessions=1, length=5, feedback_delay=2)


def test_it_is_told_what_a_scorer_says_and_judged_by_what_is_so(setting: Setting, block: Block):
    """Every score is told the other way round, so what is told and what is so add up to one."""
    wrong = [{"event": "noisy_scorer", "step": 0, "rate": 1}]
    lied = replace(setting, options={**setting.options, "scenario": wrong})
    log = OnlineContestant("a2c", {}).run(lied, block, ignore)
    env = lied.vector_env(2, "none")
    env.reset(seed=list(block.seeds), options={"context": list(block.contexts)})
    for step in range(block.length):
        _, told, _, _, info = env.step(log.actions[:, step])
        np.testing.assert_array_equal(log.measures["accuracy"][:, step], 1 - info["accuracy"])
        np.testing.assert_array_equal(log.rewards[:, step], info["true_reward"])
        assert (told != log.rewards[:, step]).all()
