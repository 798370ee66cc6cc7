"""Arrays become a data set with the expected pixels and labels, or are refused with their shape."""

import numpy as np
import pytest

from tinygan import data
from tinygan.data import DataError, arrays

RAMP = np.arange(2 * 8 * 8).reshape(2, 8, 8) / 127  # from 0 to 1

NUMBERS = {  # numbers, the expected bytes
    "bytes": ((RAMP * 255).astype(np.uint8), (RAMP * 255).astype(np.uint8)),
    "from 0 to 1": (RAMP.astype(np.float32), np.rint(RAMP * 255)),
    "from -1 to 1": (2 * RAMP - 1, np.rint(RAMP * 255)),
    "booleans": (RAMP > 0.3, np.where(RAMP > 0.3, 255, 0)),
    "integers up to 255": (np.rint(RAMP * 255).astype(np.int64), np.rint(RAMP * 255)),
    "floats up to 255": (RAMP * 255, np.rint(RAMP * 255)),
    "12 bits": (np.rint(RAMP * 4095).astype(np.uint16), np.rint(RAMP * 255)),
    "0 to 16, as the digits of scikit-learn": (RAMP * 16, np.rint(RAMP * 255)),
    "16-bit floats": (RAMP.astype(np.float16), np.rint(RAMP.astype(np.float16) * 255.0)),
    "big-endian": (np.rint(RAMP * 65535).astype(">u2"), np.rint(RAMP * 255)),
    "lists": ((RAMP > 0.3).astype(int).tolist(), np.where(RAMP > 0.3, 255, 0)),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_any_kind_become_bytes(kind):
    numbers, expected = NUMBERS[kind]
    loaded = arrays.to_dataset(numbers)
    assert loaded.images.shape == (2, 8, 8, 1) and loaded.images.dtype == np.uint8 and loaded.labels is None
    assert np.abs(loaded.images[..., 0] - expected.astype(float)).max() <= (kind == "12 bits")


def test_an_unusual_range_is_said(capsys):
    arrays.to_dataset(np.rint(RAMP * 4095))
    arrays.to_dataset(RAMP)
    assert capsys.readouterr().err == "arrays: 0 becomes black, and 4095 becomes white\n"


@pytest.mark.parametrize("labels", [[0, 2], np.array([[0], [2]]), np.array([False, True]), np.uint8([255, 0])])
def test_labels_are_whole_numbers_in_one_dimension_or_in_a_column(labels):
    loaded = arrays.to_dataset(RAMP, labels)
    assert loaded.labels.dtype == np.uint8 and loaded.labels.tolist() == np.ravel(labels).tolist()


COLOURS = np.random.default_rng(0).random((2, 3, 8, 8))
WRONG = [  # images, labels, part of the message
    (COLOURS, None, r"got \(2, 3, 8, 8\)\. Try images\.transpose\(0, 2, 3, 1\)"),
    (np.zeros((2, 784)), None, r"must have the shape \(N, H, W\), .*; got \(2, 784\)"),
    (np.zeros((0, 8, 8)), None, r"got \(0, 8, 8, 1\)"),
    (np.zeros((2, 8, 8, 4)), None, r"got \(2, 8, 8, 4\)"),
    (np.where(RAMP > 0.5, np.nan, RAMP), None, "must be finite numbers; got float64"),
    (np.full((2, 8, 8), "a"), None, "must be finite numbers; got <U1"),
    (np.zeros((2, 8, 8)), None, "each of the 2 images has one colour only"),
    (RAMP, [0], r"with the shape \(2,\); got int64 with the shape \(1,\)"),
    (RAMP, [0, 256], "whole numbers from 0 to 255"),
    (RAMP, [0, -1], "whole numbers from 0 to 255"),
    (RAMP, [0.0, 1.0], "got float64"),
    (RAMP, ["cat", "dog"], "got <U3"),
    (RAMP, np.eye(2, 10, dtype=int), r"with the shape \(2, 10\)\. Try labels\.argmax\(1\)"),
]


@pytest.mark.parametrize("images, labels, message", WRONG)
def test_other_arrays_are_refused_with_what_is_expected(images, labels, message):
    with pytest.raises(DataError, match=message):
        arrays.to_dataset(images, labels)


def test_saved_arrays_are_read_as_they_were_and_equal_arrays_have_one_folder(tmp_path):
    made = arrays.to_dataset(np.moveaxis(COLOURS, 1, 3), [1, 0])
    folder = arrays.save(made, tmp_path / "runs")
    loaded = data.load(folder)
    assert (loaded.images == made.images).all() and loaded.labels.tolist() == [1, 0] and loaded.sha256 == made.sha256
    assert arrays.save(made, tmp_path / "runs") == folder != arrays.save(made._replace(labels=None), tmp_path / "runs")
