"""What the metadata say of the machine: its GPUs, from the driver, without torch."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from llm_routing_env.pools import provenance
from llm_routing_env.pools.provenance import describe_hardware

H100 = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 41\nGPU UUID: \t GPU-6539\nDevice Minor: \t {}\n"
A10 = "Model: \t\t NVIDIA A10\nDevice Minor: \t {}\n"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands for what the driver tells ("gpus") and for the devices ("dev")."""
    (tmp_path / "dev").mkdir()
    monkeypatch.setattr(provenance, "_GPUS", tmp_path / "gpus")
    monkeypatch.setattr(provenance, "_DEVICES", tmp_path / "dev")
    monkeypatch.setitem(sys.modules, "torch", None)
    return tmp_path


def add_gpu(driver: Path, minor: int, text: str, *, is_mine: bool = True) -> None:
    """Let the driver tell of one more GPU."""
    folder = driver / "gpus" / f"0000:00:0{minor}.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text(text.format(minor))
    if is_mine:
        (driver / "dev" / f"nvidia{minor}").touch()


def test_a_gpu_is_named_without_torch(driver: Path):
    add_gpu(driver, 0, H100)
    assert describe_hardware()["gpu"] == "NVIDIA H100 80GB HBM3"


def test_several_gpus_are_counted(driver: Path):
    for minor, text in enumerate((H100, H100, A10)):
        add_gpu(driver, minor, text)
    assert describe_hardware()["gpu"] == "2 x NVIDIA H100 80GB HBM3, NVIDIA A10"


def test_a_gpu_of_another_container_is_not_this_machines(driver: Path):
    add_gpu(driver, 0, A10, is_mine=False)
    add_gpu(driver, 1, H100)
    assert describe_hardware()["gpu"] == "NVIDIA H100 80GB HBM3"


@pytest.mark.parametrize("text", ["", "nonsense", "Device Minor: 0\n", "Model: without a minor\n"])
def test_what_the_driver_does_not_tell_is_left_out(driver: Path, text: str):
    add_gpu(driver, 0, text)
    assert "gpu" not in describe_hardware()


def test_without_that_driver_torch_is_asked_if_it_is_loaded(driver: Path, monkeypatch: pytest.MonkeyPatch):
    cuda = SimpleNamespace(is_available=lambda: True, get_device_name=lambda _: "AMD Instinct MI300X")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert describe_hardware()["gpu"] == "AMD Instinct MI300X"
