"""Image files become the expected pixels. Broken files are named. Networks are built for the size of the images."""

import numpy as np
import pytest
from idx_files import idx, pictures
from PIL import Image

from tinygan import backend, data
from tinygan.data import Batches, DataError, to_pixels
from tinygan.gan import presets


def pixels(h=10, w=10, colour=False, seed=0):
    """Return a smooth image, which JPEG and resizing change little."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w] / max(h, w)
    channels = [127 + 60 * np.sin(6 * (a * x + b * y)) for a, b in rng.random((3, 2))]
    return np.stack(channels if colour else channels[:1] * 3, -1).astype(np.uint8)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


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


def test_folders_are_classes_and_folders_with_numbers_as_names_are_sorted_by_value(tmp_path):
    for value, name in enumerate(("2", "10", "cats", "dogs")):
        for i in range(2):
            save(tmp_path / name / f"{i}.png", np.full((28, 28), 10 * value + i, np.uint8))
    (tmp_path / "empty").mkdir()
    save(tmp_path / ".thumbnails" / "a.png", pixels())
    save(tmp_path / "cats" / "._0.png", pixels())
    loaded = data.load(str(tmp_path))
    assert loaded.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3] and loaded.classes == 4
    assert loaded.images[:, 0, 0, 0].tolist() == [0, 1, 10, 11, 20, 21, 30, 31]
    _, one_hot = Batches(loaded, 8, 0, with_labels=True).next()
    assert one_hot.shape == (8, 4)


def test_a_single_folder_of_images_is_no_class(tmp_path):
    save(tmp_path / "img" / "a.png", pixels())
    assert data.load(tmp_path).labels is None


@pytest.mark.parametrize("train, test", [("train", "test"), ("training", "t10k"), ("Train", "testing")])
def test_folders_named_train_and_test_are_splits(tmp_path, train, test):
    for split, value in ((train, 1), (test, 2), ("val", 3)):
        for name in "ab":
            save(tmp_path / split / name / "0.png", np.full((28, 28), value, np.uint8))
    for split, value in (("train", 1), ("test", 2)):
        loaded = data.load(tmp_path, split)
        assert (loaded.images == value).all() and loaded.labels.tolist() == [0, 1]


def test_classes_have_the_same_numbers_in_every_split(tmp_path):
    for name in ("train/a", "train/b", "train/c", "test/b"):
        save(tmp_path / name / "0.png", pixels())
    assert data.load(tmp_path, "test").labels.tolist() == [1]


def test_a_folder_named_train_beside_other_folders_is_a_class(tmp_path):
    for name in ("bus", "train"):
        save(tmp_path / name / "0.png", pixels())
    assert data.load(tmp_path).classes == 2
    with pytest.raises(DataError, match="has no test images: it needs a folder with the name test"):
        data.load(tmp_path, "test")


@pytest.mark.parametrize("sizes, side", [([(28, 28), (5, 9)], 28), ([(28, 40)], 28), ([(28, 28), (29, 90)], 32)])
def test_all_images_are_resized_to_the_same_square(tmp_path, sizes, side):
    for i, (h, w) in enumerate(sizes):
        save(tmp_path / f"{i}.png", pixels(h, w))
    assert data.load(tmp_path).images.shape == (len(sizes), side, side, 1)


def test_images_are_resized_to_the_chosen_size(tmp_path):
    save(tmp_path / "a.png", pixels(40, 30))
    assert data.load(tmp_path, size=64).images.shape == (1, 64, 64, 1)


def test_an_oblong_image_is_cropped_to_its_middle(tmp_path):
    array = np.zeros((28, 56), np.uint8)
    array[:, 14:42] = 200
    save(tmp_path / "a.png", array)
    assert (data.load(tmp_path).images == 200).all()


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


def test_idx_files_are_preferred_to_image_files(tmp_path):
    (tmp_path / "train-images").write_bytes(idx(pictures(3)))
    save(tmp_path / "preview.png", pixels())
    assert len(data.load(tmp_path).images) == 3


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


def test_a_folder_with_images_and_with_folders_of_images_is_refused(tmp_path):
    save(tmp_path / "a.png", pixels())
    save(tmp_path / "cats" / "b.png", pixels())
    with pytest.raises(DataError, match="has images, and folders with images"):
        data.load(tmp_path)


def test_a_folder_test_without_images_is_refused(tmp_path):
    save(tmp_path / "train" / "a.png", pixels())
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match=r"test has no image"):
        data.load(tmp_path, "test")


def test_more_than_256_classes_are_refused(tmp_path):
    for i in range(257):
        save(tmp_path / str(i) / "a.png", pixels(2, 2))
    with pytest.raises(DataError, match="257 folders"):
        data.load(tmp_path)


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


@pytest.mark.parametrize("suffix", [".webp", ".bmp"])
def test_webp_and_bmp_are_read(tmp_path, suffix):
    save(tmp_path / f"a{suffix}", pixels(28, 28), **({"lossless": True} if suffix == ".webp" else {}))
    assert (data.load(tmp_path).images[0] == pixels(28, 28)[..., :1]).all()


def test_files_that_are_not_read_are_counted_in_a_message(tmp_path, capsys):
    for name in ("cats/a.png", "dogs/a.png", "dogs/more/b.png"):
        save(tmp_path / name, pixels())
    save(tmp_path / "dogs" / "c.gif", pixels()[..., 0])
    (tmp_path / "images.txt").write_text("a list of the images, and no IDX file")
    assert data.load(tmp_path).labels.tolist() == [0, 1]
    printed = capsys.readouterr().err
    parts = ("3 files in it are not read", "1 images in deeper folders", "1 .gif", "1 .txt")
    assert all(part in printed for part in parts)


def test_all_broken_files_are_named_or_left_out(tmp_path, capsys):
    for i in range(3):
        save(tmp_path / "a" / f"{i}.png", np.full((28, 28), i, np.uint8))
        save(tmp_path / "b" / f"{i}.png", np.full((28, 28), 10 + i, np.uint8))
    (tmp_path / "a" / "1.png").write_bytes(b"no")
    (tmp_path / "b" / "0.png").write_bytes((tmp_path / "b" / "0.png").read_bytes()[:-30])
    with pytest.raises(DataError, match=r"2 of 6 images cannot be read: .*1\.png.*0\.png.*--skip-broken leaves"):
        data.load(tmp_path)
    loaded = data.load(tmp_path, skip_broken=True)
    assert loaded.images[:, 0, 0, 0].tolist() == [0, 2, 11, 12] and loaded.labels.tolist() == [0, 0, 1, 1]
    assert "left out: 2 of 6 images" in capsys.readouterr().err
    assert loaded.class_names == ("a", "b")


def test_a_path_that_is_no_folder_gets_a_hint(tmp_path):
    path = save(tmp_path / "a.png", pixels())
    with pytest.raises(DataError, match="because it is a file; its folder is"):
        data.load(path)
    with pytest.raises(DataError, match="for MNIST, leave out --data"):
        data.load("mnist")
