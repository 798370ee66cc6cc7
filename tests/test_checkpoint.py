"""Checkpoints: whole or not at all, and nothing in them is executed."""

import pickle

import numpy as np
import pytest

from tinygan import backend, checkpoint
from tinygan.backend.state import load_arrays
from tinygan.checkpoint import CheckpointError


class Part:
    def __init__(self, value):
        self.array = backend.to_device(np.full(3, value, "float32"))

    def state_dict(self):
        return {"array": self.array}

    def load_state_dict(self, saved):
        load_arrays(self.state_dict(), saved, "Part")


def test_what_was_saved_comes_back(tmp_path):
    a, b = Part(1), Part(2)
    checkpoint.save(tmp_path / "c.npz", {"a": a, "b": b})
    a.array[...] = b.array[...] = 0
    checkpoint.load(tmp_path / "c.npz", {"a": a, "b": b})
    assert a.array.tolist() == [1, 1, 1] and b.array.tolist() == [2, 2, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    checkpoint.save(tmp_path / "c.npz", {"a": Part(1)})

    def full_disk(file, **arrays):
        file.write(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tmp_path / "c.npz", {"a": Part(2)})
    assert checkpoint.read(tmp_path / "c.npz")["a.array"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b"", lambda b: b"text", lambda b: b[:200] + bytes(40)])
def test_a_damaged_file_is_refused_by_name(damage, tmp_path):
    path = tmp_path / "c.npz"
    checkpoint.save(path, {"a": Part(1)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"c\.npz"):
        checkpoint.read(path)


def test_a_missing_file_and_one_of_another_network_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        checkpoint.read(tmp_path / "c.npz")
    checkpoint.save(tmp_path / "c.npz", {"other": Part(1)})
    with pytest.raises(CheckpointError, match="lacks 'array'"):
        checkpoint.load(tmp_path / "c.npz", {"a": Part(1)})


def test_a_pickle_is_not_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit('executed')",))

    path = tmp_path / "c.npz"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        checkpoint.read(path)
    np.savez(path, a=np.array([1, "object"], dtype=object))
    with pytest.raises(CheckpointError):
        checkpoint.read(path)
