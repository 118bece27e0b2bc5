"""The table "production3" as its package ships it: skipped where that is not installed."""

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import gymnasium as gym
import numpy as np
import pytest

import llm_routing_env  # noqa: F401  (registers the environments)
from llm_routing_env.cache import CACHE_DIR_VARIABLE
from llm_routing_env.importing import production
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.table import OutcomeTable


def installed() -> bool:
    try:
        return version(production.PACKAGE) == production.VERSION
    except PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> OutcomeTable:
    if not installed():
        pytest.skip(f"{production.PACKAGE} {production.VERSION} is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_DIR_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        return OutcomeTable.read("production3")


def test_its_numbers_are_those_of_the_packages_files(real: OutcomeTable):
    assert (real.n_queries, real.n_llms, real.n_repeats, real.is_complete) == (2794, 3, 1, True)
    assert sum(len(rows) for rows in real.batches(["query_id"])) == 8382
    assert real.contexts == ("bbh", "gsm8k", "hellaswag", "mmlu", "openbookqa")
    np.testing.assert_allclose(real.llm_means(real.accuracy("judge")), [0.799, 0.928, 0.936], atol=5e-4)
    per_thousand = 1000 * real.llm_means(real.cost_usd)
    np.testing.assert_allclose(per_thousand, [0.0282, 0.4763, 14.14], rtol=5e-4)
    assert real.queries.n_prompts_in_both_splits == 0
    assert not [name for name in sys.modules if name.partition(".")[0] == "pareto_bandit"]


def test_environments_take_it_by_name(real: OutcomeTable, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(real.path.parents[3]))
    assert load_table("production3").sha256 == real.sha256
    routed = {"table": "production3", "reward": "additive", "weights": (1, 0.5, 0), "observation": "context"}
    env = gym.make("PickLLM-v0", **routed)
    env.reset(seed=0)
    _, reward, _, _, info = env.step(1)
    assert reward == pytest.approx(info["accuracy"] - 0.5 * info["cost_usd"] / real.cost_scale_usd)
    with pytest.raises(ValueError, match=r"production3 records none: leave it out with --weights 1,0\.5,0"):
        gym.make("PickLLM-v0", table="production3", observation="context")
    with pytest.raises(ValueError, match=r"production3 has no embeddings.*'context' or 'none' need none"):
        gym.make("PickLLM-v0", **{**routed, "observation": "embedding"})


def test_inspect_says_that_there_is_nothing_to_learn(real: OutcomeTable):
    environment = os.environ | {CACHE_DIR_VARIABLE: str(real.path.parents[3])}
    command = [sys.executable, "-m", "llm_routing_env.cli", "inspect", "production3", "--weights", "1,0.5,0", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert (document["table"], document["best_fixed_llm"]) == ("production3", "mistral-large-2512")
    assert set(document["context_best_llm"].values()) == {"mistral-large-2512"}
    assert document["verdict"] == "A constant LLM (mistral-large-2512) is best in every context: nothing to learn here."
