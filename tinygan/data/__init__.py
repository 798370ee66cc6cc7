"""Training data: MNIST, which comes with the package, a folder of IDX files or images, or a toy world."""

from pathlib import Path

from . import idx, images, toy
from .batches import Batches
from .idx import DataError, Dataset
from .pixels import to_float, to_pixels

__all__ = ["Batches", "DataError", "Dataset", "load", "to_float", "to_pixels", "toy"]


def load(source=None, split="train", size=None):
    """A Dataset: MNIST when there is no source, a toy world by its name ("ring", "grid", "spiral"), or the folder of
    IDX files, or of PNG and JPEG images, that is named. split: "train" or "test". size: the side that image files are
    brought to, in pixels; see images.py.

    Raises DataError, in a sentence that names the file, for anything that cannot be read.
    """
    if source in toy.WORLDS:
        return toy.load(source)
    folder = Path(__file__).parent / "mnist" if source is None else Path(source)
    return images.load_folder(folder, split, size) if images.has_images(folder) else idx.load_folder(folder, split)
