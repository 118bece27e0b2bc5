"""Step logs: what TensorBoard is shown."""

import struct
from pathlib import Path

import pytest
from tables import random_table

from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.step_logs import write_tensorboard

TABLE = random_table(per_context=30)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Read TensorBoard's event files: records of length, checksum, protocol buffer, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, list[tuple[int, float]]] = {}
    for path in folder.iterdir():
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_tensorboard_shows_the_means_of_every_step(tmp_path):
    pytest.importorskip("tensorboardX")
    result = compare(["random", "ucb1"], n_sessions=3, length=5, table=TABLE)
    write_tensorboard(result, tmp_path)
    shown = scalars(tmp_path / "ucb1" / "art")
    log = result.logs["ucb1"]["art"]
    assert [step for step, _ in shown["session/reward"]] == [1, 2, 3, 4, 5]
    assert [value for _, value in shown["session/reward"]] == pytest.approx(log.rewards.mean(axis=0))
    last = shown["session/cumulative_regret"][-1]
    assert last == (5, pytest.approx(log.measures["regret"].sum(axis=1).mean()))
    assert {path.name for path in tmp_path.iterdir()} == {"random", "ucb1"}
