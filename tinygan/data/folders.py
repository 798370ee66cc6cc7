"""Which image files of a folder are read, and to which split and class each of them belongs.

    DIR/a.png ...      DIR/cats/a.png, DIR/dogs/a.png ...      DIR/train/cats/a.png, DIR/test/cats/b.png ...
Classes are numbered in the order of the names of their folders. Names that are numbers come first, ordered by value.
"""

import itertools
import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .dataset import DataError, NotThere

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff")
READ = "PNG, JPEG, WebP, BMP and TIFF"
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
ARRAYS = (".npy", ".npz")
SPLITS = {  # train2017, test_images, val-set and the like are names of splits too
    split: re.compile(rf"(?P<before>.*[ _-])?({names})([ _-]?(\d+|set|data|images|imgs|img))*")
    for split, names in (("train", "train|training"), ("test", "test|testing|t10k"), ("", "val|valid|validation"))
}
MOST = 100_000  # files that are counted for a message, at most


class Files(NamedTuple):
    """The image files of a split. labels: the class of each, uint8 (N,), or None. others: the files of other splits."""

    paths: list[Path]
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    others: list[Path]


def find(folder, split):
    """Return the Files of a split ("train" or "test"). Prints to stderr which files are not read.

    Raises NotThere if there is no such split, and DataError if it is not clear which files belong to it.
    """
    splits = split_folders(folder) or {"train": [folder]}
    chosen, *more = splits.get(split) or [None]
    if not chosen:
        raise NotThere(f"{folder} has no {split} images: it needs a folder with the name {split}")
    if more:
        names = ", ".join(sorted(path.name for path in splits[split]))
        raise DataError(f"{folder}: several folders of {split} images: {names}; keep one")
    roots = [root for kind in SPLITS for root in splits.get(kind, [])]
    class_of = classes_in(roots)
    names = sorted(set(class_of.values()), key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
    if len(names) > 256:
        raise DataError(f"{folder} has {len(names)} folders with images; at most 256 classes are supported")
    found = {root: files_in(root, class_of, names) for root in roots}
    paths, labels = found[chosen]
    if not paths:
        raise DataError(f"{chosen} has no images: {described(chosen)}")
    others = [path for root in roots if root != chosen for path in found[root][0]]
    say_ignored(folder, {*paths, *others})
    if len(names) < 2 or labels is None:  # a single class contains no information
        return Files(paths, None, (), others)
    return Files(paths, labels, tuple(names), others)


def split_folders(folder):
    """Return the folders of each split in a folder, {split: [folders]}; empty if it has no splits.

    A folder with the name of a split can also be a class: there are pictures of trains. So if other folders have images
    too, folders are splits only if there are two kinds of them, or if the folder train contains the classes.
    """
    matches = {
        path: (split, match["before"])
        for path in folders(folder)
        for split, pattern in SPLITS.items()
        if (match := pattern.fullmatch(path.name.lower()))
    }
    named = {path: split for path, (split, before) in matches.items() if not before}
    if not named and len({split for split, _ in matches.values()}) > 1:  # my_train, my_test
        named = {path: split for path, (split, _) in matches.items()}
    trains = [path for path, split in named.items() if split == "train"]
    others = [path.name for path in folders(folder) if path not in named and (images_in(path) or classes_of(path))]
    if others and not (trains and (len(set(named.values())) > 1 or any(map(classes_of, trains)))):
        for path in filter(images_in, named):
            print(f"{folder}: {path.name} is read as a class, because {others[0]} has images too", file=sys.stderr)
        return {}
    return {split: [path for path in named if named[path] == split] for split in named.values()}


def classes_of(root):
    """Return the folders with images in a folder."""
    return [path for path in folders(root) if images_in(path)]


def classes_in(roots):
    """Return {folder of a class: name of the class} for the folders of all splits. The names come from the first split.

    In other splits the same class can have a name with other capital letters.
    """
    class_of, names = {}, []
    for root in roots:
        inner = classes_of(root)
        own = {path.name for path in inner}
        for path in inner:
            alike = [name for name in names if name.casefold() == path.name.casefold() and name not in own]
            class_of[path] = alike[0] if len(alike) == 1 and path.name not in names else path.name
        names += [name for name in map(class_of.get, inner) if name not in names]
    return class_of


def files_in(root, class_of, names):
    """Return the image files of a split, and their labels, or None if the files are not in folders of classes."""
    flat = images_in(root)
    inner = sorted((path for path in class_of if path.parent == root), key=lambda path: names.index(class_of[path]))
    if flat and inner:
        raise DataError(
            f"{root} has images, and folders with images: put all images into it, or all into one folder for each class"
        )
    if flat:
        return flat, None
    classes = {path: images_in(path) for path in inner}
    labels = [names.index(class_of[path]) for path, images in classes.items() for _ in images]
    return [path for images in classes.values() for path in images], np.array(labels, np.uint8)


def folders(folder):
    """Return the folders in a folder, sorted, without hidden ones."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


def images_in(folder):
    """Return the image files in a folder, sorted by name; none if there is no such folder."""
    found = (path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return sorted(path for path in found if path.is_file())


def has_images(folder):
    """Return whether the folder has image files, at most two folders deep."""
    return any(any(map(images_in, inner)) for inner in ([folder], folder.glob("*"), folder.glob("*/*")))


def check(folder):
    """Raise NotThere, with the reason and what to do, if `folder` is not a folder."""
    if folder.is_dir():
        return
    hint = ""
    if folder.is_file():
        suffix = folder.suffix.lower()
        if suffix in ARCHIVES and "idx" not in folder.name:
            hint = "a packed file: unpack it, and give the folder"
        elif suffix in ARRAYS:
            hint = f"a file of arrays: use tinygan.train(data=array) in Python, or a folder of {READ} files"
        else:
            hint = f"a file; its folder is {folder.parent}"
        hint = f", because it is {hint}"
    elif folder.name.lower() == "mnist":
        hint = "; for MNIST, use --data mnist"
    raise NotThere(f"{folder}: there is no such folder{hint}")


def say_ignored(folder, read):
    """Print to stderr how many files in a folder are not read, by the suffixes of their names. read: a set of paths"""
    others = [path for path in folder.rglob("[!.]*") if path.is_file() and path not in read]
    if others:
        print(f"{folder}: {len(others)} files in it are not read: {counted(others)}", file=sys.stderr)


def counted(paths):
    """Return a text with the number of files of each kind, the most frequent kinds first."""
    kinds = Counter(
        "images in other folders" if p.suffix.lower() in SUFFIXES else p.suffix or "without a suffix" for p in paths
    )
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))


def described(folder):
    """Return a text that says what was found in a folder without training images, and what would be read."""
    files = [path for path in itertools.islice(folder.rglob("[!.]*"), MOST) if path.is_file()]
    deep = [path for path in files if path.suffix.lower() in SUFFIXES]
    found = f"found {counted(files)}" if files else "it is empty"
    where = f", such as {deep[0].relative_to(folder)}" if deep else ""
    above = Path(os.path.commonpath([path.parent for path in deep])) if deep else folder
    advice = f". Try --data {above}" if above != folder else ""
    if any(path.suffix.lower() in ARRAYS for path in files):
        advice += ". For arrays, use tinygan.train(data=array) in Python"
    return (
        f"{found}{where}. It reads {READ} files (convert others to PNG) that are in the folder, in a folder for each "
        f"class, or in folders train and test, and IDX files such as train-images-idx3-ubyte.gz{advice}"
    )
