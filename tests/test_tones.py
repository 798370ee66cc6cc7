"""Deep and transparent images keep their contrast, and images from which nothing can be learned are refused."""

import numpy as np
import pytest
from idx_files import idx, write
from image_files import marked, pixels, png_of_16_bits, save
from PIL import Image

from tinygan import data
from tinygan.data import DataError
from tinygan.data.pixels import scaled, value_range

RAMP = np.arange(28 * 28).reshape(28, 28) / (28 * 28 - 1)  # from 0 to 1
LEVELS = [  # the largest number, and the number that becomes white
    *((n, n) for n in (1, 16, 255, 256, 4095, 4096, 16383, 65535)),
    *((n, white) for n, white in ((9, 15), (200, 255), (257, 511), (1000, 1023), (2600, 4095), (40_000, 65535))),
]


@pytest.mark.parametrize("largest, white", LEVELS)
@pytest.mark.parametrize("kind", ["I;16 png", "I;16 tif", "I;16B tif", "I tif", "F tif"])
def test_deep_images_are_scaled_by_the_bits_that_they_use(kind, largest, white, tmp_path, capsys):
    mode, suffix = kind.split()
    dtype = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}[mode]
    numbers = np.rint(RAMP * largest).astype(dtype)
    Image.frombytes(mode, (28, 28), numbers.tobytes()).save(tmp_path / f"a.{suffix}")
    loaded = data.load(tmp_path).images[0, :, :, 0]
    assert np.abs(loaded - numbers * (255 / white)).max() <= 0.5 and loaded.max() > 127
    assert f"0 becomes black, and {white} becomes white" in capsys.readouterr().err


def test_all_deep_images_of_all_splits_have_one_scale(tmp_path, capsys):
    bright, dark = (RAMP * 4000).astype(np.uint16), (RAMP * 100).astype(np.uint16)
    for name, array in (("train/a.png", bright), ("train/b.png", dark), ("test/a.png", dark)):
        save(tmp_path / name, array)
    train, test = data.load(tmp_path), data.load(tmp_path, "test")
    assert train.images[0].max() == 249 and train.images[1].max() == 6
    assert (test.images[0] == train.images[1]).all()
    assert capsys.readouterr().err.count("0 becomes black, and 4095 becomes white") == 2


def test_negative_numbers_become_black_at_the_smallest_and_8_bits_beside_deep_images_do_not_change(tmp_path):
    numbers = (RAMP * 2000 - 1000).astype(np.int32)  # as in tomography
    Image.fromarray(numbers).save(tmp_path / "a.tif")
    save(tmp_path / "b.png", pixels(28, 28))
    loaded = data.load(tmp_path).images[..., 0]
    assert loaded[0, 0, 0] == 0 and loaded[0, -1, -1] == 252 and (loaded[1] == pixels(28, 28)[..., 0]).all()


def test_a_number_that_is_not_finite_is_refused(tmp_path):
    Image.fromarray(np.where(RAMP > 0.5, np.nan, RAMP).astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="some of its numbers are not finite"):
        data.load(tmp_path)


def test_colours_of_16_bits_are_read_if_they_use_the_upper_bits_and_else_refused(tmp_path):
    colours = np.stack([RAMP, RAMP.T, 1 - RAMP], -1)
    png_of_16_bits(tmp_path / "a.png", np.rint(colours * 4095).astype(np.uint16))
    with pytest.raises(DataError, match="do not use the upper ones: convert them to 8 bits"):
        data.load(tmp_path)
    png_of_16_bits(tmp_path / "b.png", np.rint(colours * 65535).astype(np.uint16))
    assert np.abs(data.load(tmp_path).images[1] - colours * 255).max() <= 1


@pytest.mark.parametrize("smallest, largest, expected", [(-3, 200, (-3, 255)), (0, 0.4, (0, 1)), (-5, -2, (-5, 1))])
def test_the_range_of_numbers_includes_0_and_has_whole_bits(smallest, largest, expected):
    assert value_range(smallest, largest) == expected
    black, white = expected
    assert scaled(np.array([black, white, (black + white) / 2]), black, white).tolist() == [0, 255, 128]


def icon(tone, seed=0):
    """Return a disc of this grey tone on a transparent ground, (28, 28, 4)."""
    y, x = np.mgrid[:28, :28] - 13.5
    alpha = 255 * (x**2 + y**2 < (100 + 10 * seed))
    return np.stack([np.full((28, 28), tone)] * 3 + [alpha], -1).astype(np.uint8)


@pytest.mark.parametrize(
    "tones, background",
    [([255, 255], 0), ([0, 0], 255), ([230, 250], 0), ([200, 90], 255), ([255, 0], 128), ([128, 128], 255)],
)
def test_transparent_pixels_become_the_background_on_which_the_images_can_be_seen(tones, background, tmp_path, capsys):
    for i, tone in enumerate(tones):
        save(tmp_path / f"{i}.png", icon(tone, i))
    for image, tone in zip(data.load(tmp_path).images[..., 0], tones):
        assert image[0, 0] == background and image[14, 14] == tone
    name = {0: "black", 255: "white", 128: "grey"}[background]
    assert f"2 images have transparent pixels: they become {name}" in capsys.readouterr().err


def test_all_splits_have_one_background_and_an_opaque_alpha_channel_changes_nothing(tmp_path, capsys):
    for i in range(4):
        save(tmp_path / "train" / f"{i}.png", icon(255, i))
    save(tmp_path / "test" / "a.png", icon(60))
    assert data.load(tmp_path, "test").images[0, 0, 0, 0] == 0
    opaque = icon(255)
    opaque[..., 3], opaque[3, 3, :3] = 255, 0
    save(tmp_path / "opaque" / "a.png", opaque)
    capsys.readouterr()
    data.load(tmp_path / "opaque")
    assert capsys.readouterr().err == ""


def test_only_the_first_page_of_a_file_is_read_and_a_message_says_so(tmp_path, capsys):
    pages = [Image.fromarray(marked(i)) for i in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert (data.load(tmp_path).images[0, :, :, 0] == marked(0)).all()
    assert "1 files have several pages or frames; only the first is read" in capsys.readouterr().err


def object_at_the_side(folder):
    """Wide pictures with the object at the side, which is cut off."""
    for i in range(3):
        save(folder / f"{i}.png", np.pad(marked(i), ((0, 0), (0, 200))))


WITHOUT_CONTENT = {
    "wide pictures with the object at the side": (object_at_the_side, "each of the 3 images has one colour only"),
    "one image": (lambda folder: save(folder / "a.png", np.zeros((28, 28), np.uint8)), "the 1 images has one colour"),
    "different colours": (
        lambda folder: write(folder, train_images=idx(np.arange(5)[:, None, None] * np.ones((8, 8)))),
        "each of the 5 images has one colour only",
    ),
    "copies": (lambda folder: [save(folder / f"{i}.png", marked(3)) for i in range(4)], "all 4 images are equal"),
    "IDX copies": (lambda folder: write(folder, images=idx([marked(3)] * 4)), "all 4 images are equal"),
    "only transparent": (lambda folder: save(folder / "a.png", icon(9) * np.uint8([1, 1, 1, 0])), "one colour only"),
}


@pytest.mark.parametrize("kind", WITHOUT_CONTENT)
def test_images_from_which_nothing_can_be_learned_are_refused(kind, tmp_path):
    make, message = WITHOUT_CONTENT[kind]
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        data.load(tmp_path)


def test_one_image_that_differs_is_enough_and_a_test_set_is_not_checked(tmp_path):
    write(tmp_path, train_images=idx([marked(3)] * 4 + [marked(4)]), test_images=idx([marked(3)] * 4))
    assert len(data.load(tmp_path).images) == 5 and len(data.load(tmp_path, "test").images) == 4
