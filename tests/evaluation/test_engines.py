"""Engines: the same numbers everywhere, a lost machine loses nothing, an interrupted comparison goes on."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tables import random_table, write_random_table

from llm_routing_env.evaluation.block_store import BlockStore
from llm_routing_env.evaluation.comparison import compare, run_comparison
from llm_routing_env.evaluation.contestants import Block
from llm_routing_env.evaluation.engines import make_engine, run_local
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.jobs import Job
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.ray_cluster import _initialise, _require_package

AGENTS = ["epsilon_greedy_q", "thompson_beta", "linucb"]


def setting_on(tmp_path: Path) -> Setting:
    return Setting({"table": str(write_random_table(tmp_path, per_context=40))}, length=15)


def run(setting: Setting, engine=run_local, folder: Path | None = None, agents=AGENTS) -> str:
    result = run_comparison(contestants(agents, {}), setting, 6, engine=engine, blocks_folder=folder)
    assert not result.failures
    return json.dumps(result.document())


def test_a_stored_block_equals_the_log_that_was_saved(tmp_path):
    setting = setting_on(tmp_path)
    (contestant,) = contestants(["epsilon_greedy_q"], {})
    job = Job(contestant, Block(("art", "chess"), (1, 2), 15))
    ((_, log),) = run_local([job], setting, lambda name, n: None)
    store = BlockStore(tmp_path / "blocks", setting, "sha")
    assert store.load(job) is None
    store.save(job, log)
    again = store.load(job)
    np.testing.assert_array_equal(again.actions, log.actions)
    np.testing.assert_array_equal(again.measures["latency_s"], log.measures["latency_s"])
    assert again.propensities is None
    (path,) = (tmp_path / "blocks").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert store.load(job) is None


@pytest.mark.parametrize("change", ["seed", "length", "table", "weights", "parameters"])
def test_a_block_of_another_comparison_is_not_taken(tmp_path, change):
    setting = setting_on(tmp_path)
    (contestant,) = contestants(["epsilon_greedy_q"], {})
    job = Job(contestant, Block(("art",), (1,), 15))
    ((_, log),) = run_local([job], setting, lambda name, n: None)
    BlockStore(tmp_path / "blocks", setting, "sha").save(job, log)
    other, sha = setting, "sha"
    if change == "seed":
        other = Setting(setting.options, setting.length, seed=1)
    elif change == "length":
        other = Setting(setting.options, length=14)
    elif change == "weights":
        other = Setting({**setting.options, "weights": [1, 1, 1]}, setting.length)
    elif change == "parameters":
        job = Job(contestants(["epsilon_greedy_q"], {"epsilon_greedy_q": {"step_size": 0.5}})[0], job.work)
    else:
        sha = "another"
    assert BlockStore(tmp_path / "blocks", other, sha).load(job) is None


def test_an_interrupted_comparison_goes_on_where_it_stopped(tmp_path):
    setting = setting_on(tmp_path)
    whole = run(setting)
    ran = []

    def interrupted(jobs, setting, on_step):
        for number, pair in enumerate(run_local(jobs, setting, on_step)):
            if number == 2:
                raise KeyboardInterrupt
            ran.append(pair[0].contestant.name)
            yield pair

    def counting(jobs, setting, on_step):
        for pair in run_local(jobs, setting, on_step):
            ran.append(pair[0].contestant.name)
            yield pair

    with pytest.raises(KeyboardInterrupt):
        run(setting, interrupted, tmp_path / "blocks")
    assert run(setting, counting, tmp_path / "blocks") == whole
    assert sorted(ran) == sorted(AGENTS)  # each block once: there is one per agent


def test_bad_engines_are_refused():
    with pytest.raises(ValueError, match="local, ray"):
        make_engine("rey")
    with pytest.raises(ValueError, match="engine='ray'"):
        make_engine("local", "127.0.0.1:6379")
    with pytest.raises(ValueError, match="engine"):
        compare(["random"], table=random_table(), engine="threads")


@pytest.mark.timeout(240)
@pytest.mark.cluster
def test_a_ray_cluster_gives_the_same_numbers_to_the_last_bit_and_survives_a_killed_node(ray_cluster, tmp_path):
    setting = setting_on(tmp_path)
    doomed = ray_cluster.add_node(num_cpus=1)
    engine = make_engine("ray", ray_cluster.address)
    killed = []

    def killing(jobs, setting, on_step):
        for pair in engine(jobs, setting, on_step):
            if not killed:
                ray_cluster.remove_node(doomed, allow_graceful=False)
                killed.append(pair[0])
            yield pair

    agents = [*AGENTS, "learning_automaton", "ucb1", "knn_bandit", "knn_router", "mlp_router"]
    assert run(setting, killing, agents=agents) == run(setting, agents=agents)
    assert killed


def test_a_cluster_that_does_not_answer_is_one_clear_line():
    ray = pytest.importorskip("ray")
    for address in ("127.0.0.1:1", "nonsense"):
        with pytest.raises(RuntimeError, match=f"No Ray cluster answers at '{address}': start one with `ray start"):
            _initialise(ray, address)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ModuleNotFoundError("No module named 'llm_routing_env'"), "cannot import llm_routing_env: pip install"),
        ("0.0.1", "has llm-routing-env 0.0.1, this is .*: install the same"),
    ],
)
def test_a_cluster_without_this_package_is_one_clear_line(answer, message):
    class Ray:
        exceptions = SimpleNamespace(RayError=RuntimeError)

        def remote(self, **options):
            return lambda function: SimpleNamespace(remote=lambda: function)

        def get(self, reference):
            if isinstance(answer, Exception):
                raise answer
            return answer

    with pytest.raises(RuntimeError, match=message):
        _require_package(Ray())
