"""Further measures in the reward: said in the info of a step, and refused where nothing records them."""

from typing import Any

import numpy as np
import pytest
from tables import queries, records

from llm_routing_env.envs import PickLLMEnv, PickLLMLiveVectorEnv, PickLLMVectorEnv
from llm_routing_env.tables.table import OutcomeTable

EXTRA = {"bias": 0.3, "energy": -0.1}


def measured() -> OutcomeTable:
    asked, llms = queries(6), ["small", "big"]
    rows = records(asked, llms, [[1.0], [0.0]], [[1e-4], [2e-4]], [[0.1], [0.2]])
    for row in rows:
        row |= {"measure_bias": 0.5, "measure_energy": 2.0 if row["llm"] == "big" else 1.0}
    return OutcomeTable.from_records(asked, llms, rows, {})


def test_the_terms_of_a_step_make_up_its_reward():
    env = PickLLMEnv(measured(), observation="none", reward="additive", extra_terms=EXTRA)
    env.reset(seed=0)
    _, reward, _, _, info = env.step(1)
    # Nothing for the accuracy, 0.5 for the cost, 0.5 * log10(200) for the latency, 0.3 * 0.5 and -0.1 * 2.
    expected = {"accuracy": 0.0, "cost": 0.5, "latency": 0.5 * np.log10(200), "bias": 0.15, "energy": -0.2}
    assert info["reward_terms"] == pytest.approx(expected)
    assert reward == pytest.approx(-sum(expected.values()))


@pytest.mark.parametrize("form", ["pickllm", "additive"])
def test_the_terms_of_many_sessions_make_up_their_rewards(form: str):
    env = PickLLMVectorEnv(4, 2, table=measured(), observation="none", info="full", reward=form, extra_terms=EXTRA)
    env.reset(seed=0)
    _, rewards, _, _, info = env.step(np.array([0, 1, 1, 0]))
    terms = info["reward_terms"]
    assert {name for name in terms if not name.startswith("_")} == {"accuracy", "cost", "latency", "bias", "energy"}
    gain = terms["accuracy"] - terms["cost"] - terms["bias"] - terms["energy"]
    expected = gain - terms["latency"] if form == "additive" else gain / terms["latency"]
    np.testing.assert_allclose(rewards, expected, rtol=1e-12)


class NeverAsked:
    llm_names = ("small", "big")

    def ask_many(self, *arguments: Any) -> Any:
        raise AssertionError

    def close(self) -> None:
        pass


@pytest.mark.parametrize("make", [PickLLMEnv, PickLLMLiveVectorEnv])
def test_live_sessions_refuse_them_at_once(make: Any):
    with pytest.raises(ValueError, match="need recorded outcomes"):
        make(table=measured(), backend=NeverAsked(), observation="none", extra_terms=EXTRA)


def test_a_measure_may_not_hide_a_term_of_the_reward():
    asked = queries(3)
    rows = [row | {"measure_cost": 1.0} for row in records(asked, ["a"], 1.0, 1e-4, [0.1])]
    table = OutcomeTable.from_records(asked, ["a"], rows, {})
    with pytest.raises(ValueError, match="'cost', which the reward has already"):
        PickLLMEnv(table, observation="none", extra_terms={"cost": 1.0})
