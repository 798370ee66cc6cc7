"""Training data: MNIST (part of the package), folders of IDX files, folders of image files, and toy data."""

from pathlib import Path

from . import folders, idx, images, toy
from .batches import Batches
from .dataset import DataError, Dataset, NotThere
from .pixels import to_float, to_pixels

__all__ = ["Batches", "DataError", "Dataset", "NotThere", "load", "to_float", "to_pixels", "toy"]


def is_mnist(source):
    """Return whether a source of data is MNIST: None, or "mnist" if no folder has this name."""
    return source is None or (str(source).lower() == "mnist" and not Path(source).is_dir())


def load(source=None, split="train", size=None, skip_broken=False):
    """Return a Dataset. source: None or "mnist", a toy world ("ring", "grid" or "spiral"), or the path of a folder.

    The folder contains IDX files (idx.py) or image files (images.py). split: "train" or "test". size: image files
    are resized to this side, in pixels. skip_broken: leave out image files that cannot be read. Raises DataError for
    data that cannot be read or from which nothing can be learned, and NotThere if the folder or the split is missing.
    """
    if source in toy.WORLDS:
        return toy.load(source)
    folder = Path(__file__).parent / "mnist" if is_mnist(source) else Path(source)
    folders.check(folder)
    if not idx.is_in(folder) and folders.has_images(folder):
        loaded = images.load_folder(folder, split, size, skip_broken)
    else:
        loaded = idx.load_folder(folder, split)
    return loaded.checked() if split == "train" else loaded
