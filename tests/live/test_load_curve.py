"""A load curve measured on real vLLM servers ends up in the table, and slows its vector environment."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from llm_routing_env.backends import make_backend
from llm_routing_env.envs import PickLLMVectorEnv
from llm_routing_env.pools.load_curve import load_curves
from llm_routing_env.pools.pool import Pool
from llm_routing_env.recording import measure_load
from llm_routing_env.tables.table import OutcomeTable

pytestmark = pytest.mark.vllm


def test_a_measured_curve_is_kept_and_used(nano_servers: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table = OutcomeTable.read("nano")
    with closing(make_backend("vllm", nano_servers, max_in_flight=4)) as backend:
        measured = measure_load(nano_servers, table, backend=backend, concurrency=(1, 4), n_requests=24)
    table.with_metadata({"load_curve": measured}).write(tmp_path / "nano.parquet")
    again = OutcomeTable.read(tmp_path / "nano.parquet")
    assert again.metadata["load_curve"] == measured
    with capsys.disabled():
        for name, curve in zip(again.llm_names, load_curves(again), strict=True):
            print(f"\n{name}: {1000 * curve.latency_s[0]:.1f} ms alone, x {curve.factors[1]:.2f} with 4 in flight")
    env = PickLLMVectorEnv(4, table=again, observation="context", latency_under_load=True)
    plain = PickLLMVectorEnv(4, table=again, observation="context")
    for made in (env, plain):
        made.reset(seed=0)
    for llm, curve in enumerate(load_curves(again)):
        actions = np.full(4, llm)
        slower = env.step(actions)[4]["latency_s"] / plain.step(actions)[4]["latency_s"]
        np.testing.assert_allclose(slower, curve.factors[1], rtol=1e-12)
