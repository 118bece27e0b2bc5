"""Models of Stable-Baselines3 that are trained first, or were saved by someone."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
import stable_baselines3
from tables import queries, records, write_random_table

from llm_routing_env.envs import PickLLMEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.contestants import Block, Training
from llm_routing_env.evaluation.drawn import draw_sessions
from llm_routing_env.evaluation.sb3 import SB3_ALGORITHMS, PretrainedContestant
from llm_routing_env.evaluation.sb3.models import action_distribution
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.tables.table import OutcomeTable


def quick(agent: str, **parameters: Any) -> PretrainedContestant:
    """Return a contestant that trains in a second."""
    rollout = {"learning_starts": 100} if agent == "dqn" else {"n_steps": 16}
    return PretrainedContestant(agent, {"total_timesteps": 500} | rollout | parameters)


def ignore(n_queries: int) -> None:
    pass


@pytest.fixture
def observations(table: Path) -> np.ndarray:
    return RoutingProblem(table, observation="embedding32").observations


@pytest.fixture(scope="module")
def saved(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a PPO model that its user trained without this library's comparison."""
    model = stable_baselines3.PPO("MlpPolicy", PickLLMEnv(table, split="train", observation="embedding32"), n_steps=64)
    model.learn(64)
    path = tmp_path_factory.mktemp("models") / "routed.zip"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def specialists() -> OutcomeTable:
    """Return a table of two LLMs: the first is right on art only, the second on chess only."""
    asked, names = queries(30, ("art", "chess")), ["painter", "player"]
    is_art = np.array([query.context == "art" for query in asked])
    rows = records(asked, names, np.stack([is_art, ~is_art], axis=1)[:, :, None], 1e-5, 0.1)
    return OutcomeTable.from_records(asked, names, rows, {"pool": {"name": "specialists"}})


@pytest.mark.parametrize(("agent", "total_timesteps"), [("ppo", 4000), ("a2c", 4000), ("dqn", 2000)])
def test_training_finds_the_better_llm_of_each_context(agent: str, total_timesteps: int, specialists: OutcomeTable):
    contestant = PretrainedContestant(agent, {"observation": "context", "total_timesteps": total_timesteps})
    policy = contestant.run(Setting({"table": specialists}, 20), Training(0, 1), ignore)
    for context, llm in (("art", 0), ("chess", 1)):
        np.testing.assert_array_equal(policy[specialists.select(context, "test")], [np.eye(2)[llm]] * 20)
    np.testing.assert_array_equal(policy[specialists.select(None, "train")], 0.0)  # nothing is judged there


@pytest.mark.parametrize("agent", SB3_ALGORITHMS)
def test_the_same_seed_gives_the_same_model_and_another_another(agent: str, setting: Setting, observations: np.ndarray):
    def probabilities(seed: int, number: int = 0) -> np.ndarray:
        contestant = quick(agent)
        contestant.run(replace(setting, seed=seed), Training(number, 1), ignore)
        return action_distribution(contestant.models[number], observations)

    np.testing.assert_array_equal(probabilities(0), probabilities(0))
    assert (probabilities(0) != probabilities(1)).any()
    assert (probabilities(0) != probabilities(0, number=1)).any()


def test_the_model_is_trained_once_and_does_not_change_while_it_is_judged(
    setting: Setting, block: Block, observations: np.ndarray
):
    """In sessions, as of live LLMs, too."""
    contestant = quick("ppo")
    policy = contestant.run(setting, Training(0, 1), ignore)
    model, before = contestant.models[0], action_distribution(contestant.models[0], observations)
    log = contestant.run(setting, block, ignore)
    assert contestant.models == {0: model}
    np.testing.assert_array_equal(action_distribution(model, observations), before)
    problem = setting.problem()
    for row, (context, seed) in enumerate(zip(block.contexts, block.seeds, strict=True)):
        queries = draw_sessions(problem, [seed], context=context, length=block.length).queries
        np.testing.assert_array_equal(log.actions[row], policy.argmax(axis=1)[queries[0]])


def test_training_uses_the_train_split_only(setting: Setting, block: Block, monkeypatch: pytest.MonkeyPatch):
    splits = []
    drawn = RoutingProblem.draw_session

    def noting(self: RoutingProblem, rng: np.random.Generator, context: str | None) -> Any:
        splits.append((self.split, context))
        return drawn(self, rng, context)

    monkeypatch.setattr(RoutingProblem, "draw_session", noting)
    quick("a2c").run(setting, block, ignore)
    assert set(splits[:-2]) == {("train", "mixed")}
    assert splits[-2:] == [("test", "art"), ("test", "chess")]


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("agent", SB3_ALGORITHMS)
def test_it_asks_its_favourite_or_draws(agent: str, deterministic: bool, setting: Setting, block: Block):
    contestant = quick(agent, deterministic=deterministic)
    log = contestant.run(setting, block, ignore)
    env = setting.vector_env(2, "embedding32")
    seen, _ = env.reset(seed=list(block.seeds), options={"context": list(block.contexts)})
    for step in range(block.length):
        actions, _ = contestant.models[0].predict(seen, deterministic=True)
        if deterministic:
            np.testing.assert_array_equal(log.actions[:, step], actions)
            np.testing.assert_array_equal(log.propensities[:, step], 1.0)
        else:
            expected = action_distribution(contestant.models[0], seen)[[0, 1], log.actions[:, step]]
            np.testing.assert_allclose(log.propensities[:, step], expected)
        seen, rewards, *_ = env.step(log.actions[:, step])
        np.testing.assert_array_equal(log.rewards[:, step], rewards)


def test_a_trained_model_is_saved_and_judged_again(setting: Setting, tmp_path: Path):
    contestant = quick("dqn")
    policy = contestant.run(setting, Training(1, 1), ignore)
    contestant.models[1].save(tmp_path / "dqn.zip")
    again = PretrainedContestant("dqn", {"model": str(tmp_path / "dqn.zip")})
    assert again.n_trainings(5) == 1
    np.testing.assert_array_equal(again.run(setting, Training(0, 1), ignore), policy)


def test_a_saved_model_is_judged_also_where_its_file_is_not(
    saved: Path, setting: Setting, block: Block, tmp_path: Path
):
    path = Path(shutil.copy(saved, tmp_path))
    contestant = PretrainedContestant("ppo", {"model": str(path)})
    contestant.check(RoutingProblem(setting.options["table"], observation="none"))
    travelled = cloudpickle.loads(cloudpickle.dumps(contestant))
    log = contestant.run(setting, block, ignore)
    path.unlink()
    np.testing.assert_array_equal(travelled.run(setting, block, ignore).actions, log.actions)


def test_saved_models_that_do_not_fit_are_refused(saved: Path, table: Path, tmp_path: Path):
    problem = RoutingProblem(table, observation="none")

    def check(agent: str = "ppo", problem: RoutingProblem = problem, **parameters: Any) -> None:
        PretrainedContestant(agent, {"model": str(saved)} | parameters).check(problem)

    with pytest.raises(ValueError, match=r"for observations of shape \(32,\), but the comparison has \(40,\)"):
        check(observation="embedding")
    three_llms = RoutingProblem(write_random_table(tmp_path, per_context=60, n_llms=3), observation="none")
    with pytest.raises(ValueError, match="for a number of LLMs of 4, but the comparison has 3"):
        check(problem=three_llms)
    with pytest.raises(ValueError, match=r"routed.zip is not a model saved by DQN: "):
        check("dqn")
    with pytest.raises(ValueError, match=r"There is no saved model 'lost.zip'"):
        check(model="lost.zip")
    with pytest.raises(ValueError, match="judges a saved model as it is: leave out n_steps, total_timesteps"):
        check(total_timesteps=100, n_steps=64)


def test_it_is_not_judged_on_what_it_was_trained_on(table: Path, saved: Path):
    problem = RoutingProblem(table, split="all", observation="none")
    for parameters in ({}, {"model": str(saved)}):
        with pytest.raises(ValueError, match=r"ppo \(pretrained\) .* test split"):
            PretrainedContestant("ppo", parameters).check(problem)


def test_a_table_without_train_split_has_nothing_to_train_on(specialists: OutcomeTable):
    test_only = specialists.resplit(np.arange(specialists.n_queries), np.zeros(specialists.n_queries, dtype=bool))
    with pytest.raises(ValueError, match="no train split"):
        PretrainedContestant("ppo", {"observation": "context"}).check(RoutingProblem(test_only, observation="none"))


def test_training_does_not_see_what_a_scenario_brings(setting: Setting):
    events = [
        {"event": "noisy_scorer", "step": 0, "rate": 1},
        {"event": "quality", "llm": "llm-0", "step": 1, "probability": 1},
        {"event": "context_shift", "context": "next", "step": 2},
    ]
    under = replace(setting, options={**setting.options, "scenario": events})
    policies = [quick("a2c").run(each, Training(0, 10), ignore) for each in (under, setting)]
    np.testing.assert_array_equal(policies[0][: len(policies[1])], policies[1])
