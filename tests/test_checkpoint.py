"""A checkpoint is written completely or not at all. A changed file is refused. Reading never executes code."""

import io
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygan import backend
from tinygan.app import checkpoint
from tinygan.app.checkpoint import CheckpointError


class Part:
    def __init__(self, value):
        self.array = backend.to_device(np.full(3, value, "float32"))

    def state_dict(self):
        return {"array": self.array}

    def load_state_dict(self, saved):
        backend.load_arrays(self.state_dict(), saved, "Part")


def value(path):
    return checkpoint.read(path)[1]["a.array"].tolist()[0]


def members(path):
    """Return {name: bytes} of the members of an archive."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path, contents, packed=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


@pytest.fixture
def path(tmp_path):
    """Return the path of a checkpoint of Part(2). Its previous checkpoint is of Part(1)."""
    path = tmp_path / "c.npz"
    for number in (1, 2):
        checkpoint.save(path, {"a": Part(number)})
    return path


def test_saved_arrays_are_restored(tmp_path):
    a, b = Part(1), Part(2)
    checkpoint.save(tmp_path / "c.npz", {"a": a, "b": b}, {"preset": "dcgan"})
    a.array[...] = b.array[...] = 0
    checkpoint.load(tmp_path / "c.npz", {"a": a, "b": b}, {"preset": "dcgan"})
    assert a.array.tolist() == [1, 1, 1] and b.array.tolist() == [2, 2, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]
    with np.load(tmp_path / "c.npz", allow_pickle=False) as file:  # NumPy alone can read the file
        assert file["b.array"].tolist() == [2, 2, 2]
        assert json.loads(file["about"].tobytes()) == {"format": 1, "preset": "dcgan"}


def test_the_previous_checkpoint_is_kept(path):
    assert value(path) == 2 and value(checkpoint.previous(path)) == 1
    assert {p.name for p in path.parent.iterdir()} == {"c.npz", "c.previous.npz"}


def test_the_same_state_makes_the_same_file(path):
    before = path.read_bytes()
    checkpoint.save(path, {"a": Part(2)})
    assert path.read_bytes() == before


def test_a_failed_save_changes_nothing(path, monkeypatch):
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}

    def full_disk(file, **arrays):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match=r"No space left on device: .*c\.npz'"):
        checkpoint.save(path, {"a": Part(3)})
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


DAMAGES = [lambda b: b[:100], lambda b: b"", lambda b: b"text", lambda b: b[:200] + bytes(40), lambda b: b[:-1]]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_and_the_previous_one_used_with_a_message(damage, path, capsys):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"c\.npz is not a complete checkpoint"):
        checkpoint.read(path)
    checkpoint.load(path, {"a": (part := Part(0))})
    assert part.array.tolist() == [1, 1, 1]
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and "using the previous checkpoint" in printed and "c.previous.npz" in printed
    checkpoint.save(path, {"a": Part(3)})
    assert value(path) == 3 and value(checkpoint.previous(path)) == 1  # the damaged file is lost
    path.write_bytes(b"")
    checkpoint.previous(path).unlink()
    with pytest.raises(CheckpointError, match=r"no checkpoint can be used: .*complete.*; .*no such checkpoint"):
        checkpoint.load(path, {"a": Part(0)})


def test_an_edited_file_with_correct_checksums_is_refused(path):
    contents = members(path)
    array = contents["a.array.npy"]
    write_members(path, {**contents, "a.array.npy": array[:-1] + b"\x41"})
    with pytest.raises(CheckpointError, match="does not match"):
        checkpoint.read(path)
    write_members(path, contents)
    assert value(path) == 2


def test_a_checkpoint_of_another_preset_network_or_version_is_refused(path, monkeypatch):
    with pytest.raises(CheckpointError, match=r"another kind of run, or to another version: .*'lsgan'"):
        checkpoint.load(path, {"a": Part(1)}, {"preset": "lsgan"})
    with pytest.raises(CheckpointError, match="lacks 'array'"):
        checkpoint.load(path, {"b": Part(1)})
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    with pytest.raises(CheckpointError, match="another version"):
        checkpoint.load(path, {"a": Part(1)})


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_a_pickle_is_not_opened(path):
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        checkpoint.read(path)
    np.savez(path, a=np.array([Bomb(), Bomb()], dtype=object))
    with pytest.raises(CheckpointError, match="something else than arrays of numbers"):
        checkpoint.read(path)


def npy(shape, content=b""):
    """Return an .npy file whose header claims an array of this shape."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + content


@pytest.mark.parametrize("write_claim", [
    lambda path: write_members(path, {"a.npy": npy((2**28,), bytes(2**22))}, zipfile.ZIP_DEFLATED),
    lambda path: write_members(path, {"a.npy": npy((10**12,))}),
    lambda path: write_members(path, {"a.npy": npy((10**30,))}),
    lambda path: path.write_bytes(b"".join([b"PK\5\6", bytes(4), b"\xff" * 12, bytes(2)])),
    lambda path: path.write_bytes(path.read_bytes().replace(b"a.array", b"b.array", 1)),
])  # fmt: skip
def test_a_header_that_claims_too_much_allocates_little_memory(write_claim, path):
    write_claim(path)
    assert memory_to_refuse(path) < 2**20


def memory_to_refuse(path):
    """Return the peak memory of refusing the file, in bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError):
            checkpoint.read(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def mutated(draw, content):
    """Return the content with a few bytes changed, removed or inserted."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        patch, skip = draw(st.binary(max_size=4)), draw(st.sampled_from([0, 1, 2, 4, 4, 4, 60]))
        content = content[:at] + patch + content[at + skip :]
    return content


def refuse_or_read(folder, draw):
    """Damage a checkpoint, and read it. Check that it is refused, or has the saved values, and needs little memory.

    The changed bytes are anywhere in the file, or in one member of an archive that is correct otherwise.
    """
    whole, path = folder / "whole.npz", folder / "mutated.npz"
    if not whole.exists():
        checkpoint.save(whole, {"a": Part(1)})
    original = whole.read_bytes()
    if draw(st.booleans()):
        path.write_bytes(content := mutated(draw, original))
    else:
        contents = members(whole)
        name = draw(st.sampled_from(sorted(contents)))
        write_members(path, {**contents, name: mutated(draw, contents[name])})
        content = path.read_bytes()
    tracemalloc.start()
    try:
        assert checkpoint.read(path)[1]["a.array"].tolist() == [1, 1, 1]  # if read, it has the saved values
    except CheckpointError as error:
        assert str(path) in str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(content) + 2**18


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_a_mutated_file_is_refused_or_read_unchanged(tmp_path_factory, data):
    refuse_or_read(tmp_path_factory.getbasetemp(), data.draw)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(st.data())
def test_ten_thousand_mutated_files_are_refused_or_read_unchanged(tmp_path_factory, data):
    refuse_or_read(tmp_path_factory.getbasetemp(), data.draw)
