"""Image files become the expected pixels. Broken files are named. Networks are built for the size of the images."""

import numpy as np
import pytest
from image_files import marked, pixels, save
from PIL import Image

from tinygan import backend, data
from tinygan.data import DataError, to_pixels
from tinygan.gan import presets


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG"])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("side", [28, 32])
def test_a_folder_of_images_is_read_without_resizing(tmp_path, suffix, colour, side):
    arrays = [pixels(side, side, colour, seed) for seed in range(3)]
    for i, array in enumerate(arrays):
        save(tmp_path / f"{i}{suffix}", array if colour else array[..., 0], quality=95)
    loaded = data.load(tmp_path)
    assert loaded.labels is None and loaded.name == tmp_path.name and loaded.images.dtype == np.uint8
    assert loaded.images.shape == (3, side, side, 3 if colour else 1)
    difference = np.abs(loaded.images - np.stack(arrays)[..., : loaded.images.shape[3]].astype(float))
    assert difference.max() == 0 if suffix == ".png" else difference.mean() < 4


@pytest.mark.parametrize("sizes, side", [([(28, 28), (5, 9)], 28), ([(28, 40)], 28), ([(28, 28), (29, 90)], 32)])
def test_all_images_are_resized_to_the_same_square(tmp_path, sizes, side):
    for i, (h, w) in enumerate(sizes):
        save(tmp_path / f"{i}.png", pixels(h, w))
    assert data.load(tmp_path).images.shape == (len(sizes), side, side, 1)


def test_images_are_resized_to_the_chosen_size(tmp_path):
    save(tmp_path / "a.png", pixels(40, 30))
    assert data.load(tmp_path, size=64).images.shape == (1, 64, 64, 1)


def test_an_oblong_image_is_cropped_to_its_middle_and_a_message_says_how_much_is_cut(tmp_path, capsys):
    save(tmp_path / "a.png", np.pad(marked(100), ((0, 0), (14, 14))))
    assert (data.load(tmp_path).images[0, :, :, 0] == marked(100)).all()
    assert "1 of 1 images are not square: only the square in their middle is read, and 50% of their pixels" in (
        capsys.readouterr().err
    )


def test_if_one_image_has_colours_all_images_get_three_channels(tmp_path):
    save(tmp_path / "a.png", pixels()[..., 0])
    save(tmp_path / "b.png", pixels(colour=True))
    assert data.load(tmp_path).images.shape == (2, 28, 28, 3)


KINDS = {  # the same image, half black and half white, stored in different ways
    "grey": lambda a: Image.fromarray(a),
    "grey, stored as colours": lambda a: Image.fromarray(a).convert("RGB"),
    "two colours": lambda a: Image.fromarray(a).convert("1"),
    "palette": lambda a: Image.fromarray(a).convert("P"),
    "16 bits": lambda a: Image.fromarray(a.astype(np.uint16) * 257),
    "transparent where white": lambda a: Image.merge("LA", [Image.new("L", (28, 28)), Image.fromarray(255 - a)]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_grey_image_gives_the_same_pixels_however_it_is_stored(tmp_path, kind):
    array = np.repeat([[0] * 14 + [255] * 14], 28, 0).astype(np.uint8)
    KINDS[kind](array).save(tmp_path / "a.png")
    assert (data.load(tmp_path).images[0, :, :, 0] == array).all()


def test_a_photo_with_an_orientation_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    array = np.repeat([[0] * 14 + [255] * 14], 28, 0).astype(np.uint8)
    save(tmp_path / "a.png", array, exif=exif)
    assert (data.load(tmp_path).images[0, :, :, 0] == array.T).all()


def broken(folder, kind):
    path = save(folder / "b.png", pixels(64, 64, True))
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif kind == "a cut JPEG":
        path = save(folder / "b.jpg", pixels(64, 64, True))
        path.write_bytes(path.read_bytes()[:-200])
    elif kind == "damaged":
        content = bytearray(path.read_bytes())
        content[60:80] = bytes(20)
        path.write_bytes(content)
    elif kind == "text":
        path.write_text("not an image")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "a GIF":
        Image.fromarray(pixels()).save(path, format="GIF")
    elif kind == "a decompression bomb":
        Image.new("1", (12_000, 12_000)).save(path)
    return path


@pytest.mark.parametrize("kind", ["cut", "a cut JPEG", "damaged", "text", "empty", "a GIF", "a decompression bomb"])
def test_a_broken_image_is_refused_in_one_sentence_that_names_it(tmp_path, kind):
    save(tmp_path / "a.png", pixels())
    path = broken(tmp_path, kind)
    with pytest.raises(DataError, match="not an image that can be read") as error:
        data.load(tmp_path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", presets.PRESETS)
@pytest.mark.parametrize("side", [28, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_preset_builds_networks_for_the_size_of_the_images(name, side, channels):
    shape, preset = (side, side, channels), presets.PRESETS[name]
    training = presets.build(preset, shape, seed=0, classes=10)
    latent = training.gan.latent(2)
    labels = training.generator_inputs(latent.data)[1:]
    fake = training.gan.G(latent, *labels)
    assert fake.shape == (2, *shape) and training.gan.D(fake, *labels).shape == (2, 1)
    assert to_pixels(backend.to_host(fake.data)).dtype == np.uint8


DISGUISES = [
    (b"GIF89a", "it is a GIF, whatever its name says"),
    (b"\0\0\0\x18ftypheic\0\0", "it is a HEIC, an AVIF or a video"),
    (b"\xef\xbb\xbf<!DOCTYPE html>", "it is a web page or an SVG"),
    (b"version https://git-lfs.github.com/spec/v1", "it is a Git LFS pointer"),
    (b"", "it is empty"),
    (b"hello", "cannot identify image file"),
]


@pytest.mark.parametrize("content, message", DISGUISES)
def test_a_file_with_the_name_of_another_format_is_called_what_it_is(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=message):
        data.load(tmp_path)


def test_warnings_of_pillow_name_their_files(tmp_path, capsys):
    for name in "ab":
        save(tmp_path / f"{name}.jpg", pixels(28, 28, seed=ord(name)))
        content = (tmp_path / f"{name}.jpg").read_bytes()
        exif = b"Exif\0\0II*\0\x08\0\0\0\x09\0\x01\x02"  # says nine entries, and has none
        header = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
        (tmp_path / f"{name}.jpg").write_bytes(content[:2] + header + content[2:])
    data.load(tmp_path)
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 1 and printed[0].startswith(f"{tmp_path / 'a.jpg'} and 1 more: ")
    assert "EXIF" in printed[0]


@pytest.mark.parametrize("suffix", [".webp", ".bmp", ".tif", ".TIFF"])
def test_webp_bmp_and_tiff_are_read(tmp_path, suffix):
    save(tmp_path / f"a{suffix}", pixels(28, 28), **({"lossless": True} if suffix == ".webp" else {}))
    assert (data.load(tmp_path).images[0] == pixels(28, 28)[..., :1]).all()


def test_all_broken_files_are_named_or_left_out(tmp_path, capsys):
    for i in range(3):
        save(tmp_path / "a" / f"{i}.png", marked(i))
        save(tmp_path / "b" / f"{i}.png", marked(10 + i))
    (tmp_path / "a" / "1.png").write_bytes(b"no")
    (tmp_path / "b" / "0.png").write_bytes((tmp_path / "b" / "0.png").read_bytes()[:-30])
    with pytest.raises(DataError, match=r"2 of 6 images cannot be read: .*1\.png.*0\.png.*--skip-broken leaves"):
        data.load(tmp_path)
    loaded = data.load(tmp_path, skip_broken=True)
    assert loaded.images[:, 0, 0, 0].tolist() == [0, 2, 11, 12] and loaded.labels.tolist() == [0, 0, 1, 1]
    assert "left out: 2 of 6 images" in capsys.readouterr().err
    assert loaded.class_names == ("a", "b")
