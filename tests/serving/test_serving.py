"""Serving with stand-ins for vLLM: what is started is stopped, however it ends, and refusals are clear."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import fake_vllm
import pytest
from processes import all_ended, default_signals, wait_until, with_in_environment

from llm_routing_env.backends import ask, make_backend
from llm_routing_env.pools.pool import LLMSpec, Pool, load_pool
from llm_routing_env.serving import endpoints, serve, server
from llm_routing_env.serving.display import run_until_signal
from llm_routing_env.serving.endpoints import ServingError, read_endpoints
from llm_routing_env.serving.flags import engine_arguments, memory_advice, server_command, to_arguments
from llm_routing_env.tables.queries import Query

QUERY = Query("q", "art", "test", "hello", ("hello",))
MARK = "PICKLLM_TEST_MARK"


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return this test's own temporary folder, for its child processes too; sockets need its path to be short."""
    with tempfile.TemporaryDirectory(prefix="serving-", dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> Iterator[str]:
    """Make every process that the test starts recognisable, keep its files apart, and check that nothing is left."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    monkeypatch.setattr(server, "server_command", fake_vllm.command)
    monkeypatch.setattr(server, "STOP_GRACE_S", 1.0)
    yield mark
    assert all_ended(mark), "processes were left behind"
    assert list(temporary.glob("pickllm-*")) == []


def test_serve_yields_working_endpoints_and_leaves_nothing(mark, tmp_path):
    stages: list[tuple[str, str]] = []
    pool = fake_vllm.pool(tmp_path, "a", "b")
    with serve(pool, on_progress=lambda *stage: stages.append(stage)) as urls:
        assert list(urls) == ["llm-a", "llm-b"]
        assert read_endpoints(pool) == urls
        backend = make_backend("vllm", pool)
        assert ask(backend, QUERY, 1).response == "you said hello"
        backend.close()
        assert with_in_environment(mark)
    assert ("llm-a", "ready") in stages
    assert ("llm-b", "ready") in stages
    with pytest.raises(ServingError, match="pickllm serve"):
        read_endpoints(pool)


def starts(pool: Pool) -> list[tuple[str, str]]:
    """Serve a pool and return what happened: ("start" or "ready", the LLM), in order."""
    seen: list[tuple[str, str]] = []
    begin = server.VLLMServer.start
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server.VLLMServer, "start", lambda self: (seen.append(("start", self.llm.name)), begin(self))[1])
        with serve(pool, on_progress=lambda name, stage: seen.append((stage, name))):
            return [(what, name) for what, name in seen if what in ("start", "ready")]


def on_gpu(pool: Pool, *devices: str) -> Pool:
    """Return the pool, each LLM on its own GPUs."""
    pairs = zip(pool.llms, devices, strict=True)
    return replace(pool, llms=tuple(replace(llm, environment={"CUDA_VISIBLE_DEVICES": gpus}) for llm, gpus in pairs))


@pytest.mark.parametrize("devices", [("", ""), ("0", "0"), ("0,1", "1"), ("0", "")])
def test_servers_that_measure_the_memory_of_one_gpu_start_one_after_another(mark, tmp_path, devices):
    pool = on_gpu(fake_vllm.pool(tmp_path, "a", "b"), *devices)
    assert starts(pool) == [("start", "llm-a"), ("ready", "llm-a"), ("start", "llm-b"), ("ready", "llm-b")]


def test_servers_start_at_once_where_none_measures_what_another_takes(mark, tmp_path):
    told = fake_vllm.pool(tmp_path, "a", "b", **{"kv-cache-memory-bytes": 1})
    for pool in (told, on_gpu(fake_vllm.pool(tmp_path, "a", "b"), "0", "1")):
        assert starts(pool)[:2] == [("start", "llm-a"), ("start", "llm-b")]


@pytest.mark.parametrize(
    "said",
    [
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
        "ValueError: Free memory on device cuda:0 (5.74/79.18 GiB) on startup is less than desired GPU memory",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 MiB.",
    ],
)
def test_a_gpu_that_is_too_small_for_all_is_told_with_what_to_do(mark, tmp_path, monkeypatch, said):
    monkeypatch.setattr(server, "server_command", lambda *_: [sys.executable, "-c", f"raise SystemExit({said!r})"])
    with pytest.raises(ServingError, match=r"gpu-memory-utilization = 0\.3"), serve(fake_vllm.pool(tmp_path, "a")):
        pass
    assert memory_advice(["ValueError: the weights are haunted"]) == ""


@pytest.mark.parametrize(("flags", "is_open"), [({}, False), ({"host": "0.0.0.0"}, True)])
def test_servers_listen_on_loopback_unless_asked(mark, tmp_path, flags, is_open):
    with serve(fake_vllm.pool(tmp_path, "a", **flags)) as urls:
        address = urlsplit(urls["llm-a"])
        assert address.hostname == "127.0.0.1"
        assert address.port
        # Another of this machine's own addresses: only a server that listens on all of them answers there.
        with socket.socket() as other:
            assert (other.connect_ex(("127.0.0.2", address.port)) == 0) == is_open


def test_vllm_is_told_where_to_listen(tmp_path):
    pool = fake_vllm.pool(tmp_path, "a", host="0.0.0.0", port=1)
    assert {"--host=127.0.0.1", "--port=8000"} <= set(server_command(pool, pool.llms[0], "127.0.0.1", 8000))


@pytest.mark.parametrize("whose", ["pool", "llm"])
def test_a_key_among_the_flags_is_refused_and_not_quoted(tmp_path, whose):
    pool = fake_vllm.pool(tmp_path, "a")
    keyed = {"api_key": "sk-sesame"}
    pool = replace(pool, serve=keyed) if whose == "pool" else replace(pool, llms=(replace(pool.llms[0], serve=keyed),))
    with pytest.raises(ServingError, match=r"LLM .llm-a.: .*api_key_env names the variable") as refused:
        server_command(pool, pool.llms[0], "127.0.0.1", 8000)
    assert "sesame" not in str(refused.value)


def test_an_llm_with_a_base_url_is_used_and_not_started(mark, tmp_path):
    pool = fake_vllm.pool(tmp_path, "a")
    remote = LLMSpec("remote", 1.0, 1.0, base_url="https://host/v1/")
    mixed = replace(pool, llms=(*pool.llms, remote))
    with serve(mixed) as urls:
        assert urls["remote"] == "https://host/v1"
        assert read_endpoints(mixed) == urls
    assert read_endpoints(replace(mixed, llms=(remote,))) == {"remote": "https://host/v1"}


def test_an_exception_in_the_block_stops_the_servers(mark, tmp_path):
    with pytest.raises(ZeroDivisionError), serve(fake_vllm.pool(tmp_path, "a", "stubborn")):
        raise ZeroDivisionError
    assert not with_in_environment(mark)


def test_a_server_that_dies_is_named_with_its_last_words_and_the_others_stop(mark, tmp_path):
    with pytest.raises(ServingError) as caught, serve(fake_vllm.pool(tmp_path, "a", "dies")):
        pass
    assert "'llm-dies'" in str(caught.value)
    assert "ValueError: the weights are haunted" in str(caught.value)
    assert not with_in_environment(mark)


def test_servers_that_take_too_long_are_named_and_stopped(mark, tmp_path):
    with pytest.raises(ServingError, match=r"Not ready after 1 s: (llm-a, )?llm-hangs"):  # noqa: SIM117
        with serve(fake_vllm.pool(tmp_path, "a", "hangs"), timeout_s=1.0):
            pass


def test_the_same_pool_is_not_served_twice(mark, tmp_path):
    pool = fake_vllm.pool(tmp_path, "a")
    with serve(pool), pytest.raises(ServingError, match="already being served"), serve(pool):
        pass
    with serve(pool):  # and again once the first has ended
        pass


def test_a_busy_port_is_refused_before_anything_starts(mark, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(ServingError, match=rf"LLM 'llm-a' .* port {port}"):  # noqa: SIM117
            with serve(fake_vllm.pool(tmp_path, "a", port=port)):
                pass


def test_one_port_for_two_llms_is_refused(mark, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ServingError, match="same port"), serve(fake_vllm.pool(tmp_path, "a", "b", port=port)):
        pass


@pytest.mark.parametrize("model", ["./missing", "weights/missing", "a/b/c"])
def test_a_missing_model_folder_is_refused_with_its_path(mark, tmp_path, model):
    (tmp_path / "weights").mkdir()
    with pytest.raises(ServingError, match=r"missing|a/b/c"), serve(fake_vllm.pool(tmp_path, model)):
        pass


def test_a_missing_api_key_is_refused_and_a_given_one_is_not_stored(mark, tmp_path, monkeypatch):
    pool = fake_vllm.pool(tmp_path, "a")
    pool = replace(pool, llms=(replace(pool.llms[0], api_key_env="MY_KEY"),))
    with pytest.raises(ServingError, match="MY_KEY"), serve(pool):
        pass
    monkeypatch.setenv("MY_KEY", "sesame")
    with serve(pool, state_dir=tmp_path / "state"):
        (server,) = [p for p in with_in_environment("VLLM_API_KEY=sesame") if _is_python(p)][-1:]
        assert b"sesame" not in Path(f"/proc/{server}/cmdline").read_bytes()
        files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
        assert not any(b"sesame" in path.read_bytes() for path in files)


def _is_python(pid: int) -> bool:
    return b"python" in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -9), (signal.SIGHUP, -1)]
)
def test_no_signal_to_the_parent_leaves_servers_behind(mark, tmp_path, number, status):
    parent = _start_parent(tmp_path, "a", "b")
    assert parent.stdout
    assert json.loads(parent.stdout.readline())["pool"] == "fake"
    parent.send_signal(number)
    assert parent.wait(30) == status
    assert wait_until(lambda: not with_in_environment(mark))


def test_sigint_stops_the_servers_even_where_it_came_ignored(mark, tmp_path):
    parent = _start_parent(tmp_path, "a", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert parent.stdout
    assert json.loads(parent.stdout.readline())["pool"] == "fake"
    parent.send_signal(signal.SIGINT)
    assert parent.wait(30) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_signal_during_the_start_leaves_servers_behind(mark, temporary, tmp_path, number, status):
    parent = _start_parent(tmp_path, "a", "hangs")
    assert wait_until(lambda: len(list(temporary.glob("pickllm-*/*.sock"))) == 2)
    parent.send_signal(number)
    assert parent.wait(30) == status
    assert wait_until(lambda: not with_in_environment(mark))


def test_a_long_temporary_folder_is_no_hindrance(mark, temporary, tmp_path, monkeypatch):
    folder = temporary / ("long" * 20)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with serve(fake_vllm.pool(tmp_path, "a")) as urls:
        assert urls
    assert not list(Path("/tmp").glob("pickllm-*/*left-behind.sock"))


def test_a_killed_guard_takes_its_server_along(mark, temporary, tmp_path):
    with serve(fake_vllm.pool(tmp_path, "a"), state_dir=tmp_path / "state"):
        (file,) = (tmp_path / "state").glob("*.json")
        guard = json.loads(file.read_text())["servers"]["llm-a"]["pid"]
        os.kill(guard, signal.SIGKILL)
        assert wait_until(lambda: not _servers(mark))
    for worker in with_in_environment(mark):  # the stand-in's worker is nobody's now: vLLM's own end by themselves
        os.kill(worker, signal.SIGKILL)
    for folder in temporary.glob("pickllm-*"):
        shutil.rmtree(folder)


def _servers(mark: str) -> list[int]:
    """Return the stand-ins that run, without their guards and workers."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in with_in_environment(mark)}
    return [pid for pid, text in commands.items() if b"fake_vllm.py" in text and b"guard.py" not in text]


def test_serving_ends_with_a_word_when_its_last_server_dies(mark, tmp_path):
    parent = _start_parent(tmp_path, "a", "b", stderr=subprocess.PIPE)
    assert parent.stdout
    parent.stdout.readline()
    for pid in _servers(mark):
        os.kill(pid, signal.SIGKILL)
    _, said = parent.communicate(timeout=30)
    assert parent.returncode == 1
    assert "'llm-a' ended with status 137" in " ".join(said.split())
    assert "No server is left" in said


def test_a_pool_without_anything_to_start_says_so():
    remote = Pool("far", (LLMSpec("remote", 1.0, 1.0, base_url="https://host/v1"),))
    with pytest.raises(ServingError, match="nothing to start"):
        run_until_signal(remote)


def test_endpoints_of_a_killed_parent_are_not_read(mark, tmp_path):
    parent = _start_parent(tmp_path, "a")
    assert parent.stdout
    parent.stdout.readline()
    pool = fake_vllm.pool(tmp_path, "a")
    assert read_endpoints(pool)
    parent.kill()
    parent.wait()
    with pytest.raises(ServingError, match="not being served"):
        read_endpoints(pool)


def test_a_pool_that_is_still_starting_says_so(tmp_path):
    pool = fake_vllm.pool(tmp_path, "a")
    with endpoints.claim(pool, None), pytest.raises(ServingError, match="still starting"):
        read_endpoints(pool)


def test_an_llm_that_the_served_pool_lacks_is_named(mark, tmp_path):
    with serve(fake_vllm.pool(tmp_path, "a")), pytest.raises(ServingError, match="no LLM 'llm-b'"):
        read_endpoints(fake_vllm.pool(tmp_path, "a", "b"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "b"}, "'llm-a' there has model 'a', here 'b'"),
        ({"serve": {"dtype": "bfloat16"}}, "'llm-a' there has dtype None, here 'bfloat16'"),
        ({"served_name": "other"}, "'llm-a' there has served_name 'llm-a', here 'other'"),
    ],
)
def test_another_pool_of_the_same_name_is_not_taken_for_the_one_that_is_served(mark, tmp_path, changes, said):
    pool = fake_vllm.pool(tmp_path, "a")
    with serve(pool) as urls:
        other = replace(pool, llms=(replace(pool.llms[0], **changes),))
        with pytest.raises(ServingError, match="is being served from another file") as refused:
            read_endpoints(other)
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)
        # What decides no answer may differ: prices, and how much memory a server takes.
        same = replace(pool.llms[0], input_price_usd_per_mtok=9.0, max_tokens=9, serve={"max-num-seqs": 4})
        assert read_endpoints(replace(pool, llms=(same,))) == urls


def test_what_an_earlier_version_serves_is_found(tmp_path):
    pool = fake_vllm.pool(tmp_path, "a")
    with endpoints.claim(pool, None) as place:
        endpoints.write_endpoints(place, {"llm-a": {"base_url": "http://127.0.0.1:9/v1", "pid": 1, "log": "x"}})
        assert read_endpoints(pool) == {"llm-a": "http://127.0.0.1:9/v1"}


@pytest.mark.parametrize("timeout_s", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_timeout_that_is_none_is_refused_before_anything_starts(mark, tmp_path, timeout_s):
    refused = pytest.raises(ValueError, match="timeout_s must be a finite number of seconds above 0")
    with refused, serve(fake_vllm.pool(tmp_path, "a"), timeout_s=timeout_s):
        pytest.fail("it was served")


def test_flags_become_arguments():
    flags = {"enforce-eager": True, "enable-prefix-caching": False, "max-model-len": 256, "dtype": "bfloat16"}
    assert to_arguments(flags) == [
        "--enforce-eager",
        "--no-enable-prefix-caching",
        "--max-model-len=256",
        "--dtype=bfloat16",
    ]
    assert to_arguments({"hf-overrides": {"a": 1}}) == ['--hf-overrides={"a": 1}']
    assert to_arguments({"lora-modules": ["a=b", "c=d"]}) == ["--lora-modules", "a=b", "c=d"]


def test_flags_become_engine_arguments():
    flags = {"max-model-len": 256, "no-enable-prefix-caching": True, "port": 8000, "hf-overrides": '{"a": 1}'}
    pool = Pool("p", (LLMSpec("a", 1, 1, model="a", serve={"max-model-len": 128}),), serve=flags)
    known = ["max_model_len", "enable_prefix_caching", "hf_overrides"]
    arguments = engine_arguments(pool, pool.llms[0], known)
    assert arguments == {"max_model_len": 128, "enable_prefix_caching": False, "hf_overrides": {"a": 1}}


def test_vllm_missing_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr("llm_routing_env.serving.flags.find_spec", lambda name: None)
    with pytest.raises(ServingError, match=r"vLLM is not installed: pip install"), serve(fake_vllm.pool(tmp_path, "a")):
        pass


def _start_parent(
    folder: Path, *models: str, stderr: int = subprocess.DEVNULL, preexec_fn: Callable[[], object] = default_signals
) -> subprocess.Popen[str]:
    script = Path(__file__).parents[1] / "helpers" / "serve_script.py"
    command = [sys.executable, str(script), "fake", str(folder), *models]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, preexec_fn=preexec_fn)


@pytest.mark.vllm
@pytest.mark.parametrize(
    ("number", "status", "executor"),
    [(signal.SIGKILL, -9, "mp"), (signal.SIGTERM, 0, "uni"), (signal.SIGINT, 0, "uni")],
)
def test_no_signal_leaves_real_servers_behind(temporary, tmp_path, monkeypatch, number, status, executor):
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    pool = _one_llm_pool(tmp_path, executor)
    script = Path(__file__).parents[1] / "helpers" / "serve_script.py"
    command = [sys.executable, str(script), str(pool)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=default_signals)
    assert parent.stdout
    assert json.loads(parent.stdout.readline())["pool"] == "one"
    started = with_in_environment(mark)
    assert len(started) > 2  # the parent, the guard, and vLLM's own processes
    parent.send_signal(number)
    assert all_ended(mark, timeout_s=60), "processes were left behind"
    assert parent.wait(60) == status
    assert [path.name for path in temporary.iterdir() if not path.name.startswith("torchinductor_")] == []


def _one_llm_pool(folder: Path, executor: str) -> Path:
    """Write a pool of the nano pool's first LLM."""
    nano = load_pool("nano")
    lines = ['name = "one"', "[serve]"]
    flags = {**nano.serve, "distributed-executor-backend": executor}
    lines += [f"{flag} = {json.dumps(value)}" for flag, value in flags.items()]
    lines += ["[environment]", *(f"{name} = {json.dumps(value)}" for name, value in nano.environment.items())]
    lines += ["[[llm]]", 'name = "only"', f"model = {json.dumps(nano.model_path(nano.llms[0]))}"]
    lines += ["input_price_usd_per_mtok = 1", "output_price_usd_per_mtok = 1"]
    path = folder / "one.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.vllm
def test_a_flag_that_vllm_does_not_know_is_quoted(tmp_path):
    nano = load_pool("nano")
    pool = replace(nano, name="wrong", llms=nano.llms[:1], serve={**nano.serve, "no-such-flag": 1})
    with pytest.raises(ServingError, match="unrecognized arguments: --no-such-flag=1"), serve(pool):
        pass
