"""The images of a folder get the right split and class, or the folder is refused with what was found in it."""

import numpy as np
import pytest
from idx_files import idx, pictures
from image_files import marked, pixels, save

from tinygan import data
from tinygan.data import Batches, DataError, NotThere


def tree(folder, *names):
    """Save an image of each name. Image i has the value i."""
    for value, name in enumerate(names):
        save(folder / name, marked(value))
    return folder


def values(dataset):
    """Return the values of the images that `tree` saved."""
    return dataset.images[:, 0, 0, 0].tolist()


def test_folders_are_classes_and_folders_with_numbers_as_names_are_sorted_by_value(tmp_path):
    tree(tmp_path, *(f"{name}/{i}.png" for name in ("2", "10", "cats", "dogs") for i in range(2)))
    (tmp_path / "empty").mkdir()
    save(tmp_path / ".thumbnails" / "a.png", pixels())
    save(tmp_path / "cats" / "._0.png", pixels())
    loaded = data.load(str(tmp_path))
    assert loaded.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3] and loaded.classes == 4
    assert values(loaded) == list(range(8)) and loaded.class_names == ("2", "10", "cats", "dogs")
    _, one_hot = Batches(loaded, 8, 0, with_labels=True).next()
    assert one_hot.shape == (8, 4)


def test_a_single_folder_of_images_is_no_class(tmp_path):
    assert data.load(tree(tmp_path, "img/a.png")).labels is None


SPLITS = [  # files, {value: label} of the training images and of the test images, the names of the classes
    ("train/a.png test/b.png", {0: None}, {1: None}, ""),
    ("training/x/a.png training/y/a.png t10k/x/b.png t10k/y/b.png val/x/c.png", {0: 0, 1: 1}, {2: 0, 3: 1}, "x y"),
    ("Train/x/a.png Train/y/a.png testing/y/b.png", {0: 0, 1: 1}, {2: 1}, "x y"),
    ("train/a.png test/b.png annotations/c.png", {0: None}, {1: None}, ""),
    ("train/x/a.png train/y/a.png test/x/b.png masks/c.png extra/x/d.png", {0: 0, 1: 1}, {2: 0}, "x y"),
    ("train2017/a.png val2017/b.png test2017/c.png", {0: None}, {2: None}, ""),
    ("train_images/a.png test-set/b.png sample/c.png", {0: None}, {1: None}, ""),
    ("seg_train/x/a.png seg_train/y/a.png seg_test/x/b.png seg_pred/c.png", {0: 0, 1: 1}, {2: 0}, "x y"),
    ("Train/Cats/a.png Train/Dogs/a.png test/dogs/b.png test/cats/b.png", {0: 0, 1: 1}, {3: 0, 2: 1}, "Cats Dogs"),
    ("train/A/0.png train/a/0.png test/a/0.png test/A/0.png", {0: 0, 1: 1}, {3: 0, 2: 1}, "A a"),
    ("train/x/a.png train/y/a.png test/b.png test/c.png", {0: 0, 1: 1}, {2: None, 3: None}, "x y"),
    ("train/x/a.png train/y/a.png masks/c.png", {0: 0, 1: 1}, None, "x y"),
    ("train/x/a.png train/y/a.png test/z/b.png", {0: 0, 1: 1}, {2: 2}, "x y z"),
]


@pytest.mark.parametrize("files, train, test, names", SPLITS)
def test_splits_are_found_among_other_folders_with_the_same_numbers_of_classes(files, train, test, names, tmp_path):
    tree(tmp_path, *files.split())
    for split, expected in {"train": train, "test": test}.items():
        if expected is None:
            with pytest.raises(NotThere, match=f"has no {split} images"):
                data.load(tmp_path, split)
            continue
        loaded = data.load(tmp_path, split)
        labels = [None] * len(loaded.images) if loaded.labels is None else loaded.labels.tolist()
        assert dict(zip(values(loaded), labels)) == expected
        assert loaded.class_names == (() if loaded.labels is None else tuple(names.split()))


def test_folders_beside_splits_are_counted_in_a_message(tmp_path, capsys):
    data.load(tree(tmp_path, "train/a.png", "train/b.png", "test/b.png", "annotations/c.png"))
    assert "1 files in it are not read: 1 images in other folders" in capsys.readouterr().err


@pytest.mark.parametrize("names", [("bus", "train"), ("bullet_train", "steam_train"), ("blind-test", "test")])
def test_the_name_of_a_split_can_be_a_class_and_a_message_says_so(names, tmp_path, capsys):
    loaded = data.load(tree(tmp_path, *(f"{name}/0.png" for name in names)))
    assert loaded.class_names == names and values(loaded) == [0, 1]
    said = [name for name in names if name in ("train", "test")]
    assert all(f"{name} is read as a class, because" in capsys.readouterr().err for name in said)
    with pytest.raises(DataError, match="has no test images: it needs a folder with the name test"):
        data.load(tmp_path, "test")


def test_two_folders_of_one_split_are_refused(tmp_path):
    with pytest.raises(DataError, match="several folders of train images: train2014, train2017; keep one"):
        data.load(tree(tmp_path, "train2014/a.png", "train2017/a.png", "test/b.png"))


def test_idx_files_are_preferred_to_image_files(tmp_path):
    (tmp_path / "train-images").write_bytes(idx(pictures(3)))
    save(tmp_path / "preview.png", pixels())
    assert len(data.load(tmp_path).images) == 3


def test_a_folder_with_images_and_with_folders_of_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="has images, and folders with images"):
        data.load(tree(tmp_path, "a.png", "cats/b.png"))


def test_a_folder_test_without_images_is_refused(tmp_path):
    (tree(tmp_path, "train/a.png") / "test").mkdir()
    with pytest.raises(DataError, match=r"test has no images: it is empty"):
        data.load(tmp_path, "test")


def test_more_than_256_classes_are_refused(tmp_path):
    for i in range(257):
        (tmp_path / str(i)).mkdir()
        (tmp_path / str(i) / "a.png").touch()
    with pytest.raises(DataError, match="257 folders"):
        data.load(tmp_path)


def test_files_that_are_not_read_are_counted_in_a_message(tmp_path, capsys):
    tree(tmp_path, "cats/a.png", "dogs/a.png", "dogs/more/b.png")
    save(tmp_path / "dogs" / "c.gif", pixels()[..., 0])
    (tmp_path / "images.txt").write_text("a list of the images, and no IDX file")
    assert data.load(tmp_path).labels.tolist() == [0, 1]
    printed = capsys.readouterr().err
    parts = ("3 files in it are not read", "1 images in other folders", "1 .gif", "1 .txt")
    assert all(part in printed for part in parts)


NOTHING = [  # files, what was found, an advice
    (["a.gif", "b.gif", "c.txt"], "found 2 .gif, 1 .txt", "(convert others to PNG)"),
    (["cats/a.heic", "dogs/b.HEIC", "dogs/c.heic"], "found 2 .heic, 1 .HEIC", "PNG, JPEG, WebP, BMP and TIFF files"),
    (["x.npy"], "found 1 .npy", "For arrays, use tinygan.train(data=array)"),
    (["a/b/c/1.png", "a/b/d/1.png"], "found 2 images in other folders, such as a/b/c/1.png", "Try --data {}/a/b"),
    (["archive/cats/1.png", "archive/dogs/1.png"], "2 images in other folders", "Try --data {}/archive"),
    (["x/train/a/1.png", "x/train/b/1.png", "x/test/a/1.png"], "3 images in other folders", "Try --data {}/x"),
    (["README"], "found 1 without a suffix", "in a folder for each class"),
    ([], "it is empty", "such as train-images-idx3-ubyte.gz"),
]


@pytest.mark.parametrize("files, found, advice", NOTHING)
def test_a_folder_without_images_is_refused_with_what_was_found_and_what_is_read(files, found, advice, tmp_path):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DataError) as error:
        data.load(tmp_path)
    said = str(error.value)
    assert f"{tmp_path} has no " in said and found in said and advice.format(tmp_path) in said and "\n" not in said


NO_FOLDERS = [
    ("d.zip", "because it is a packed file: unpack it, and give the folder"),
    ("d.tar.gz", "because it is a packed file"),
    ("x.npy", r"use tinygan\.train\(data=array\) in Python"),
    ("a.png", "because it is a file; its folder is"),
    ("train-images-idx3-ubyte.gz", "because it is a file; its folder is"),
]


@pytest.mark.parametrize("name, message", NO_FOLDERS)
def test_a_file_is_refused_with_what_to_do(name, message, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(NotThere, match=message):
        data.load(tmp_path / name)


def test_mnist_is_a_name_unless_a_folder_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotThere, match=r"nowhere: there is no such folder$"):
        data.load("nowhere")
    with pytest.raises(NotThere, match="for MNIST, use --data mnist"):
        data.load("data/mnist")
    assert data.load("MNIST", "test").name == "mnist"
    tree(tmp_path / "mnist", "a.png", "b.png")
    assert len(data.load("mnist").images) == 2


def test_an_image_that_is_no_file_is_not_read(tmp_path):
    (tree(tmp_path, "a.png", "b.png") / "folder.png").mkdir()
    assert np.array_equal(values(data.load(tmp_path)), [0, 1])
