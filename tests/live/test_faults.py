"""Real LLMs on a real vLLM server that hangs, is killed and is started again, in the middle of sessions."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from processes import wait_until

from llm_routing_env.backends import lanes
from llm_routing_env.envs import PickLLMEnv, PickLLMLiveVectorEnv
from llm_routing_env.pools.pool import Pool, load_pool
from llm_routing_env.serving.server import VLLMServer

pytestmark = pytest.mark.vllm
DEADLINE_S = 5.0
GRACE_S = 5.0
N_ENVS = 8


@contextmanager
def serving(pool: Pool, log: Path) -> Iterator[VLLMServer]:
    """Serve the pool's first LLM for the length of the block."""
    server = VLLMServer(pool, pool.llms[0], log)
    server.start()
    try:
        assert wait_until(lambda: server.stage() in ("ready", "failed"), 300)
        assert server.stage() == "ready", server.failure()
        yield server
    finally:
        server.ask_to_stop()
        server.wait_stopped()


def send(server: VLLMServer, number: signal.Signals) -> None:
    """Send a signal to vLLM itself, and all processes of its own: the guard is not told."""
    assert server.process is not None
    guard = server.process.pid
    os.killpg(int(Path(f"/proc/{guard}/task/{guard}/children").read_text().split()[0]), number)


class Sessions:
    """A scalar environment and a vector, whose four arms are one LLM."""

    def __init__(self, pool: Pool) -> None:
        arguments = {"backend": "vllm", "pool": pool, "observation": "context", "info": "full"}
        self.scalar, self.vector = PickLLMEnv(**arguments), PickLLMLiveVectorEnv(N_ENVS, **arguments)
        self.scalar.reset(seed=0)
        self.vector.reset(seed=0)

    def step(self) -> list[str]:
        """Step both, check what holds whatever happens, and return the errors."""
        begun = time.monotonic()
        _, rewards, terminated, _, info = self.vector.step(np.arange(N_ENVS) % 4)
        _, reward, ended, _, alone = self.scalar.step(0)
        assert time.monotonic() - begun < 2 * (DEADLINE_S + GRACE_S)
        assert not terminated.any()
        assert not ended
        errors = [*info["error"], alone["error"]]
        low = self.vector.task.reward_bounds[0]
        for error, of_session in zip(errors, [*rewards, reward], strict=True):
            assert not error or of_session == low
        return errors

    def recover(self) -> bool:
        """Return whether all outcomes are good before long."""
        return wait_until(lambda: self.step() == [""] * (N_ENVS + 1), 60)


def test_sessions_outlive_their_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lanes, "PAUSE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nano = replace(load_pool("nano"), deadline_s=DEADLINE_S)
    served = replace(nano, llms=(replace(nano.llms[0], serve={"port": port}),))
    address = {"base_url": f"http://127.0.0.1:{port}/v1", "served_name": nano.llms[0].name}
    with serving(served, tmp_path / "first.log") as server:
        sessions = Sessions(replace(nano, llms=tuple(replace(llm, **address) for llm in nano.llms)))
        assert sessions.recover()  # the first answers of a server may be slow
        assert sessions.step() == [""] * (N_ENVS + 1)

        send(server, signal.SIGSTOP)  # it hangs: connections are accepted, nothing is answered
        assert {*sessions.step()} == {f"no response within the deadline of {DEADLINE_S:g} s"}
        send(server, signal.SIGCONT)
        assert sessions.recover()

        killer = threading.Timer(0.005, send, (server, signal.SIGKILL))
        killer.start()
        errors = [error for _ in range(8) for error in sessions.step()]
        killer.join()
        assert "" not in errors[-(N_ENVS + 1) :]
        assert any(error.startswith("it is down") for error in errors)
    with serving(served, tmp_path / "second.log"):
        assert sessions.recover()
    sessions.scalar.close()
    sessions.vector.close()
