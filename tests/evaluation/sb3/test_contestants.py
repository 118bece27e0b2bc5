"""The names and parameters of Stable-Baselines3's algorithms."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import DQN
from tables import queries, records

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.sb3 import SB3_ALGORITHMS, describe_sb3, is_sb3, sb3_contestants
from llm_routing_env.tables.table import OutcomeTable


class Patient(DQN):
    """Someone's own algorithm, which hands its keyword arguments on."""

    def __init__(self, policy: Any, env: Any, learning_starts: int = 7, **kwargs: Any) -> None:
        super().__init__(policy, env, learning_starts=learning_starts, **kwargs)


def test_a_name_stands_for_both_protocols_or_one():
    def rows(name: str) -> list[tuple[str, ...]]:
        found = sb3_contestants(name, {"learning_rate": 0.01})
        assert all(contestant.parameters == {"learning_rate": 0.01} for contestant in found)
        return [(contestant.name, contestant.agent, contestant.protocol, contestant.feedback) for contestant in found]

    online, pretrained = (
        ("ppo (online)", "ppo", "online", "bandit"),
        ("ppo (pretrained)", "ppo", "pretrained", "bandit"),
    )
    assert rows("ppo") == [online, pretrained]
    assert rows("ppo@online") == [online]
    assert rows("ppo@pretrained") == [pretrained]


def test_what_only_training_needs_goes_to_the_pretrained_one():
    online, pretrained = sb3_contestants("a2c", {"total_timesteps": 99, "observation": "context"})
    assert online.parameters == {"observation": "context"}
    assert pretrained.parameters == {"total_timesteps": 99, "observation": "context"}
    assert online.observation == pretrained.observation == "context"
    with pytest.raises(ValueError, match=r"Unknown parameter of a2c \(online\) 'total_timesteps'"):
        sb3_contestants("a2c@online", {"total_timesteps": 99})


@pytest.mark.parametrize(
    ("name", "parameters", "problem"),
    [
        ("pppo", {}, "Unknown algorithm of Stable-Baselines3 'pppo'. Did you mean 'ppo'"),
        ("ppo@ofline", {}, "Unknown protocol of ppo 'ofline'. Did you mean 'online'"),
        ("ppo", {"clip_rang": 0.1}, r"Unknown parameter of ppo \(online\) 'clip_rang'. Did you mean 'clip_range'"),
        ("ppo", {"exploration_fraction": 0.1}, "Unknown parameter"),
        ("dqn", {"seed": 1}, "Unknown parameter"),
        ("dqn", {"total_timesteps": 0}, "total_timesteps must be an integer of 1 or more, got 0"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_and_bad_values_with_the_range(
    name: str, parameters: dict[str, float], problem: str
):
    with pytest.raises(ValueError, match=problem):
        sb3_contestants(name, parameters)


@pytest.mark.parametrize("name", ["ppo@online", "ppo@pretrained"])
def test_impossible_values_are_refused_before_anything_is_run(name: str, table: Path):
    problem = RoutingProblem(table, observation="none")
    for parameters, complaint in (
        ({"learning_rate": -1}, "ppo .* refuses its parameters: .*learning rate"),
        ({"batch_size": 1}, "ppo .* refuses its parameters: .*batch_size"),
        ({"observation": "pixels"}, "Unknown observation 'pixels'"),
    ):
        (contestant,) = sb3_contestants(name, parameters)
        with pytest.raises(ValueError, match=complaint):
            contestant.check(problem)


def test_the_description_is_plain_and_its_parameters_are_taken():
    described = json.loads(json.dumps(describe_sb3()))
    assert [row["name"] for row in described] == [
        f"{algorithm}@{protocol}" for algorithm in SB3_ALGORITHMS for protocol in ("online", "pretrained")
    ]
    for row in described:
        parameters = {name: value for name, value in row["parameters"].items() if name != "model"}
        (contestant,) = sb3_contestants(row["name"], parameters)
        keys = ("protocol", "feedback", "observation")
        assert {key: getattr(contestant, key) for key in keys} == {key: row[key] for key in keys}


def test_describing_loads_neither_torch_nor_stable_baselines3():
    code = (
        "import sys; from llm_routing_env.evaluation.sb3 import describe_sb3; describe_sb3();"
        "print([name for name in ('torch', 'stable_baselines3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(ImportError, match=r'not installed: pip install "llm-routing-env\[sb3\]"'):
        sb3_contestants("ppo", {})


def test_both_protocols_take_part_in_a_comparison(table: Path):
    parameters = {"dqn": {"total_timesteps": 400, "learning_starts": 8}}
    result = compare(["random", "dqn"], n_sessions=2, length=12, table=str(table), parameters=parameters)
    assert result.agents == ["random", "dqn (online)", "dqn (pretrained)"]
    assert {(row["name"], row["protocol"]) for row in result.document()["agents"]} == {
        ("random", "online"),
        ("dqn (online)", "online"),
        ("dqn (pretrained)", "pretrained"),
    }
    assert result.logs["dqn (online)"]["chess"].rewards.shape == (2, 12)


def test_anyones_algorithm_takes_part_under_both_protocols_with_its_own_defaults(table: Path):
    name = f"{__name__}:Patient"
    parameters = {name: {"total_timesteps": 60, "exploration_fraction": 1.0}}
    result = compare([name], n_sessions=2, length=12, table=str(table), parameters=parameters, propensities=True)
    assert result.agents == [f"{name} (online)", f"{name} (pretrained)"]
    online, pretrained = (result.contestants[row] for row in result.agents)
    assert pretrained.models[0].learning_starts == 7
    assert pretrained.models[0].gamma == 0.0
    assert pretrained.models[0].buffer_size == 1_000_000  # DQN's own, not the one that "dqn" was given here
    assert online.parameters == {"exploration_fraction": 1.0}
    propensities = result.logs[f"{name} (online)"]["chess"].propensities
    np.testing.assert_array_equal(propensities[:, :7], 0.25)
    assert (propensities[:, 7:] != 0.25).all()
    (alone,) = sb3_contestants(f"{name}@online", {"exploration_fraction": 1.0})
    assert alone.name == f"{name} (online)"


def test_only_algorithms_of_stable_baselines3_are_taken_for_them():
    assert is_sb3("ppo@online")
    assert is_sb3(f"{__name__}:Patient@pretrained")
    for name in ("ucb1", f"{__name__}:Missing", f"{__name__}:compare", "no_such_module:Class", "pathlib:Path"):
        assert not is_sb3(name)
    with pytest.raises(ValueError, match="No module named 'no_such_module'"):
        compare(["no_such_module:Class"], n_sessions=1, length=1)


def test_a_table_without_latencies_takes_part_where_none_is_weighed():
    asked = queries(6, ("art",))
    rows = [row | {"latency_s": None} for row in records(asked, ("a", "b"), 1.0, 1e-3, 0.1 * np.ones((1, 1, 1)))]
    without = OutcomeTable.from_records(asked, ("a", "b"), rows, {"pool": {"name": "no latency"}})
    (online,) = sb3_contestants("ppo@online", {"observation": "context"})
    online.check(RoutingProblem(without, observation="context", reward="additive", weights=(1, 0.5, 0)))
