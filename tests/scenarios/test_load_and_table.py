"""The load of others, by the table's own curve, and drift to another table's outcomes."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tables import queries, random_table, records

from llm_routing_env.envs import PickLLMEnv, PickLLMVectorEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.scenarios import read_scenario
from llm_routing_env.tables.cells import Cells
from llm_routing_env.tables.table import OutcomeTable

LLMS = ("llm-0", "llm-1")
CURVES = {
    "llm-0": {"concurrency": [1, 3], "latency_s": [0.1, 0.5]},  # 1 alone, 3 at two, 5 at three
    "llm-1": {"concurrency": [1, 3], "latency_s": [0.1, 0.1]},  # always 1
}


def table(seed: int = 0, **metadata: Any) -> OutcomeTable:
    return random_table(seed, per_context=6, n_llms=2, n_repeats=2).with_metadata(metadata)


TABLE = table(load_curve={"llms": CURVES})
OWN = Cells.of(TABLE, TABLE.scorer)


def phases(*events: dict[str, Any]) -> dict[int, Cells]:
    found = read_scenario(list(events), LLMS, lambda cells: np.zeros(2))(OWN)
    return {phase.step: phase.cells for phase in found}


def test_load_slows_each_llm_by_its_curve_and_gradually_in_stages():
    found = phases({"event": "load", "step": 2, "in_flight": 3, "over": 1, "until": 5})
    assert list(found) == [0, 2, 3, 5]
    for step, slowdown in ((0, 1), (2, 3), (3, 5), (5, 1)):
        np.testing.assert_allclose(found[step].latency_s[:, 0], OWN.latency_s[:, 0] * slowdown)
        np.testing.assert_array_equal(found[step].latency_s[:, 1], OWN.latency_s[:, 1])


def test_a_call_that_fails_is_as_late_as_ever_under_load():
    fails = {"event": "outage", "llm": "llm-0", "step": 2, "hidden": True}
    found = phases(fails, {"event": "load", "step": 2, "in_flight": 3})[2]
    np.testing.assert_array_equal(found.latency_s, OWN.latency_s)


def test_another_tables_outcomes_and_texts_are_given_from_the_step_on(tmp_path: Path):
    path, asked = tmp_path / "other.parquet", queries(6)
    rows = records(asked, LLMS, [[[1], [0]]], [[[2e-5], [1e-5]]], [[[0.1], [0.2]]])
    rows = [row | {"repeat": repeat, "response": f"anew {row['llm']}"} for row in rows for repeat in (0, 1)]
    rows[0] |= {"error": "it broke", "accuracy_exact_match": 0.0}
    OutcomeTable.from_records(asked, LLMS, rows, {}).write(path)
    events = [
        {"event": "price", "llm": "llm-0", "step": 1, "factor": 2},
        {"event": "table", "table": str(path), "step": 3},
    ]
    events[1]["until"] = 5
    arguments: dict[str, Any] = {
        "table": TABLE,
        "observation": "none",
        "scenario": events,
        "split": "all",
        "info": "full",
    }
    env, vector = PickLLMEnv(**arguments), PickLLMVectorEnv(2, 6, "DISABLED", **arguments)
    asked_first, broken = env.reset(seed=3, options={"context": "art"})[1]["query_id"], rows[0]["query_id"]
    vector.reset(seed=3, options={"context": "art"})
    assert asked_first.startswith("art")
    for step in range(6):
        info = env.step(0)[4]
        infos = vector.step(np.zeros(2, dtype=np.int64))[4]
        is_other, is_broken = 3 <= step < 5, 3 <= step < 5 and info["query_id"] == broken
        assert info["response"] == ("anew llm-0" if is_other else "answer 0")
        assert info["error"] in (("", "it broke") if is_other else ("",))
        assert (infos["response"][0], infos["error"][0]) == (info["response"], info["error"])
        if is_other and not is_broken:
            assert info["cost_usd"] == pytest.approx(4e-5)  # the price stays cut
            assert (info["accuracy"], info["latency_s"]) == (1, pytest.approx(0.1))


def test_tables_that_differ_are_refused_in_one_line(tmp_path: Path):
    asked, names = queries(6), ("llm-0", "llm-1")
    two = [[[1, 1], [1, 1]]]
    others = {
        "the LLMs of": OutcomeTable.from_records(
            asked, ("llm-0", "x"), records(asked, ("llm-0", "x"), two, 1e-5, 0.1), {}
        ),
        "the number of repeats of": random_table(per_context=6, n_llms=2, n_repeats=3),
        "the queries of": random_table(per_context=5, n_llms=2, n_repeats=2),
        "the measures of": OutcomeTable.from_records(
            asked, names, [row | {"measure_energy": 1.0} for row in records(asked, names, two, 1e-5, 0.1)], {}
        ),
    }
    for said, other in others.items():
        path = tmp_path / "other.parquet"
        other.write(path)
        with pytest.raises(
            ValueError, match=f"event 1 \\(table\\): .* must have {said}.*, in their order: exp"
        ) as caught:
            RoutingProblem(TABLE, scenario=[{"event": "table", "table": str(path), "step": 1}], observation="none")
        assert "\n" not in str(caught.value)
        path.unlink()


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event": "load", "step": 1, "in_flight": 0.5}, "event 1 (load): in_flight must be a number from 1 to 1e+06"),
        ({"event": "load", "step": 1, "in_flight": "many"}, "in_flight must be a number from 1 to 1e+06, got 'many'"),
        ({"event": "load", "step": 1}, "the event 'load' needs 'in_flight'"),
        ({"event": "load", "step": 1, "in_flight": 2, "llm": "llm-0"}, "Unknown argument 'llm'"),
        ({"event": "table", "step": 1, "table": 3}, "table must be a name or a path, got 3"),
        ({"event": "table", "step": 1, "table": "nanu"}, "nanu"),
        ({"event": "table", "step": 1, "table": "nano"}, "event 1 (table): nano must have the LLMs of"),
    ],
)
def test_what_cannot_be_is_one_line(event: Any, said: str):
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(said)) as caught:
        RoutingProblem(TABLE, scenario=[event], observation="none")
    assert "\n" not in str(caught.value)


def test_a_table_without_a_load_curve_says_how_to_get_one():
    with pytest.raises(
        ValueError, match=r"event 1 \(load\): The table .* has no load curve: .* measure one with"
    ) as caught:
        RoutingProblem(table(), scenario=[{"event": "load", "step": 1, "in_flight": 2}], observation="none")
    assert "\n" not in str(caught.value)
