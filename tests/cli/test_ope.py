"""`pickllm ope` as it is typed."""

import json

import gymnasium as gym
import numpy as np
import pytest
from typer.testing import CliRunner

from llm_routing_env.cli import app, main
from llm_routing_env.logs import LogSteps

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> str:
    path, rng = tmp_path_factory.mktemp("run") / "log.parquet", np.random.default_rng(0)
    env = LogSteps(gym.make("PickLLM-v0", observation="none", context="mixed"), path, agent="mine")
    env.reset(seed=0)
    for _ in range(120):
        env.log_propensity(0.25)
        env.step(rng.integers(4))
    env.close()
    return str(path)


def test_it_prints_every_estimate_and_the_truth(log):
    done = RUNNER.invoke(app, ["ope", log, "--policy", "zero_router", "--truth"], env={"COLUMNS": "140"})
    assert done.exit_code == 0, done.output
    for word in ("ips", "snips", "switch_dr", "truth", "effective queries", "1 / propensity", "cross-fitted"):
        assert word in done.output


def test_json_is_one_document(log):
    done = RUNNER.invoke(app, ["ope", log, "--policy", "always:calc-0.6m", "--agent", "mine", "--json"])
    document = json.loads(done.stdout)
    assert document["logged_by"] == ["mine"]
    assert document["rows"] == 120
    assert set(document["estimates"]) == {"reward", "accuracy", "cost_usd", "latency_s"}


@pytest.mark.parametrize(
    "arguments", [["--policy", "nobody"], ["--policy", "random", "--agent", "nobody"], ["--policy", "none.npz"]]
)
def test_bad_input_is_one_line_and_exit_code_two(log, arguments, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["pickllm", "ope", log, *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
