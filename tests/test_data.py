"""MNIST and other IDX files are read correctly, and broken files are refused with a message."""

import gzip
import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from idx_files import idx, pictures, write

from tinygan import backend, data
from tinygan.data import Batches, DataError, Dataset, to_float, to_pixels
from tinygan.data.idx import DEFLATE_LIMIT, read

MD5 = {  # of the uncompressed files
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.mark.parametrize("name", MD5)
def test_mnist_files_have_their_known_hashes(name):
    path = Path(data.__file__).parent / "mnist" / f"{name}.gz"
    assert hashlib.md5(gzip.decompress(path.read_bytes())).hexdigest() == MD5[name]


def test_mnist_loads():
    train, test = data.load(), data.load(split="test")
    assert train.images.shape == (60000, 28, 28, 1) and test.images.shape == (10000, 28, 28, 1)
    assert train.images.dtype == np.uint8 and train.name == "mnist"
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9] and len(test.labels) == 10000


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("channels, expected", [(None, 1), (1, 1), (3, 3)])
def test_other_idx_files_load_with_or_without_gzip_in_grey_or_colour(tmp_path, zipped, channels, expected):
    images = pictures(c=channels)
    pack = gzip.compress if zipped else bytes
    write(tmp_path, train_images_idx=pack(idx(images)), train_labels_idx=pack(idx(np.arange(6))))
    loaded = data.load(tmp_path)
    assert loaded.images.shape == (6, 8, 8, expected)
    assert (loaded.images.reshape(images.shape) == images).all()
    assert loaded.labels.tolist() == list(range(6))


def test_a_file_of_images_needs_no_labels_and_no_train_in_its_name(tmp_path):
    write(tmp_path, my_images=idx(pictures()))
    assert data.load(str(tmp_path)).labels is None


@pytest.mark.parametrize("word", ["test", "t10k"])
def test_a_file_of_test_images_is_never_trained_on(word, tmp_path):
    write(tmp_path, my_images=idx(pictures(6)), **{f"{word}_images": idx(pictures(3))})
    assert [len(data.load(tmp_path, split).images) for split in ("train", "test")] == [6, 3]
    (tmp_path / "my-images").unlink()
    with pytest.raises(DataError, match="has no train images"):
        data.load(tmp_path)


def test_a_file_and_its_gzipped_copy_count_as_one_file(tmp_path):
    write(tmp_path, train_images_idx3_ubyte=idx(pictures()))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures())))
    assert len(data.load(tmp_path).images) == 6


BROKEN = {  # name: (files, part of the message)
    "nothing there": ({}, "has no train images"),
    "only a test set": ({"t10k_images": idx(pictures())}, "has no train images"),
    "two sets": ({"a_train_images": idx(pictures()), "b_train_images": idx(pictures())}, "several files"),
    "empty": ({"train_images": b""}, "begins with nothing"),
    "not IDX": ({"train_images": b"\x89PNG\r\n"}, "begins with 89 50 4e 47"),
    "of floats": ({"train_images": b"\0\0\x0d\3" + b"\0\0\0\1" * 3 + bytes(4)}, "type 0x0d"),
    "cut in the header": ({"train_images": idx(pictures())[:9]}, "the header is incomplete"),
    "cut in the pixels": ({"train_images": idx(pictures())[:-1]}, "384 bytes"),
    "longer than its header says": ({"train_images": idx(pictures()) + b"x"}, "it is longer than"),
    "labels in place of images": ({"train_images": idx(np.arange(6))}, "this file has 1"),
    "no pixels": ({"train_images": idx(np.zeros((0, 8, 8)))}, "it is empty"),
    "no pixels, and dimensions with a huge product": (
        {"train_images": b"\0\0\x08\3" + b"\xff\xff\xff\xff" * 2 + bytes(4)}, "it is empty"
    ),
    "no labels": ({"train_images": idx(pictures()), "train_labels": idx(np.zeros(0))}, "it is empty"),
    "five channels": ({"train_images": idx(pictures(c=5))}, "1 or 3 channels"),
    "fewer labels than images": ({"train_images": idx(pictures()), "train_labels": idx(np.arange(5))}, "of shape (6,)"),
    "labels in two dimensions": ({"train_images": idx(pictures()), "train_labels": idx(pictures()[:, 0])}, "of shape"),
    "gzip cut short": ({"train_images": gzip.compress(idx(pictures()))[:-20]}, "gzip stream is damaged"),
    "gzip damaged": ({"train_images": gzip.compress(idx(pictures()))[:40] + bytes(60)}, "gzip stream is damaged"),
    "a huge size in the header": (
        {"train_images": b"\0\0\x08\3" + b"\x7f\xff\xff\xff" * 3 + bytes(99)}, "its header says"
    ),
    "a gzip bomb": (
        {"train_images": gzip.compress(b"\0\0\x08\3" + b"\0\x0f\xff\xff" * 3 + bytes(10**6))}, "its header says"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_one_line_that_names_it(name, tmp_path):
    files, message = BROKEN[name]
    with pytest.raises(DataError) as error:
        data.load(write(tmp_path, **files))
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        data.load(tmp_path / "nowhere")


def read_or_refuse(folder, draw):
    """Damage an IDX file, and read it. Check that it gives a uint8 array or a DataError, and needs little memory."""
    content = bytearray(idx(pictures(2, 3, 3)))
    if draw(st.booleans(), label="gzipped"):
        content = bytearray(gzip.compress(bytes(content)))
    for _ in range(draw(st.integers(1, 4), label="mutations")):
        position = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(["flip", "cut", "insert"]))
        if kind == "flip" and content:
            content[position] ^= draw(st.integers(1, 255))
        elif kind == "cut":
            del content[position:]
        else:
            content[position:position] = draw(st.binary(min_size=1, max_size=8))
    path = folder / "mutated"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert read(path).dtype == np.uint8
    except DataError as error:
        assert str(path) in str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < DEFLATE_LIMIT * len(content) + 2**19  # the largest size of the unpacked content, and buffers


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_a_mutated_file_is_read_or_refused(tmp_path_factory, data):
    read_or_refuse(tmp_path_factory.getbasetemp(), data.draw)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(st.data())
def test_ten_thousand_mutated_files_are_read_or_refused(tmp_path_factory, data):
    read_or_refuse(tmp_path_factory.getbasetemp(), data.draw)


def test_a_gzip_bomb_needs_little_memory(tmp_path):
    """The file has 4 KB and unpacks to 4 MB. Its header says 16 pixels."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx(pictures(1, 4, 4)) + bytes(2**22)))
    tracemalloc.start()
    with pytest.raises(DataError, match="it is longer than"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_pixels_become_floats_and_back_without_a_change():
    every = np.arange(256, dtype=np.uint8)
    unit = to_float(every)
    assert unit.dtype == np.float32 and unit[0] == -1 and unit[-1] == pytest.approx(1)
    assert (to_pixels(unit) == every).all()
    assert to_pixels(np.array([-1.2, 1.2], np.float32)).tolist() == [0, 255]


def small(n=10):
    images = np.arange(n, dtype=np.uint8)[:, None, None, None]
    return Dataset(images, None, "small")


def test_an_epoch_has_each_image_once_and_its_order_depends_on_seed_and_epoch():
    def epoch(seed, number):
        batches = Batches(small(), 2, seed)
        batches.start_epoch(number)
        return [
            to_pixels(backend.to_host(batches.next()[0]))[:, 0, 0, 0].tolist() for _ in range(batches.steps_per_epoch)
        ]

    assert sorted(np.ravel(epoch(0, 0))) == list(range(10))
    assert epoch(0, 1) == epoch(0, 1) != epoch(0, 0) != epoch(1, 0)


def test_the_pixels_of_a_batch_become_those_of_to_float():
    pixels = np.array([0, 1, 254, 255], np.uint8)[:, None, None, None]
    batches = Batches(Dataset(pixels, None, "small"), 4, 0)
    batches.start_epoch(0)
    found = np.sort(backend.to_host(batches.next()[0]), axis=0)
    np.testing.assert_allclose(found, to_float(pixels), atol=1e-6)
    np.testing.assert_allclose(to_float(pixels).ravel(), [-1, -1 + 2 / 255, 1 - 2 / 255, 1], atol=1e-6)


def test_a_class_without_images_counts_as_a_class():
    dataset = small(3)._replace(labels=np.array([0, 2, 2], np.uint8))
    assert dataset.classes == 3 and dataset.class_sizes == (1, 0, 2)


def test_the_hash_of_a_data_set_changes_with_its_images_and_its_labels():
    dataset = small()._replace(labels=np.zeros(10, np.uint8))
    others = [
        dataset._replace(images=dataset.images + 1),
        dataset._replace(images=dataset.images.reshape(1, 10, 1, 1)),
        dataset._replace(labels=dataset.labels + 1),
        dataset._replace(labels=None),
    ]
    assert dataset.sha256 == dataset._replace(name="moved").sha256
    assert len({dataset.sha256, *(other.sha256 for other in others)}) == 5


def test_the_last_batch_is_left_out_if_it_is_smaller():
    assert Batches(small(), 3, 0).steps_per_epoch == 3


def test_a_step_with_several_batches_makes_an_epoch_shorter():
    assert Batches(small(), 2, 0, per_step=2).steps_per_epoch == 2


def test_batches_continue_from_a_saved_position():
    a, b = Batches(small(), 2, 0), Batches(small(), 2, 0)
    a.start_epoch(3)
    a.next()
    b.load_state_dict({name: backend.to_host(array).copy() for name, array in a.state_dict().items()})
    assert (backend.to_host(a.next()[0]) == backend.to_host(b.next()[0])).all()


def test_batches_have_the_one_hot_labels_of_their_images():
    labels = np.array([2, 0, 1, 1, 0, 2, 0, 1, 2, 0], np.uint8)
    batches = Batches(small()._replace(labels=labels), 10, 0, with_labels=True)
    batches.start_epoch(0)
    images, one_hot = map(backend.to_host, batches.next())
    assert one_hot.shape == (10, 3) and one_hot.dtype == np.float32 and (one_hot.sum(1) == 1).all()
    assert (one_hot.argmax(1) == labels[to_pixels(images)[:, 0, 0, 0]]).all()


@pytest.mark.parametrize("size", [0, -1, 11])
def test_a_batch_that_cannot_be_made_is_refused(size):
    with pytest.raises(DataError, match="has 10 images, but a step needs"):
        Batches(small(), size, 0)
