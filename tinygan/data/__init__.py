"""Training data: MNIST, which comes with the package, a folder of IDX files or images, or a toy world."""

from pathlib import Path

from . import idx, images, toy
from .batches import Batches
from .idx import DataError, Dataset, NotThere
from .pixels import to_float, to_pixels

__all__ = ["Batches", "DataError", "Dataset", "NotThere", "load", "to_float", "to_pixels", "toy"]


def load(source=None, split="train", size=None, skip_broken=False):
    """A Dataset: MNIST when there is no source, a toy world by its name ("ring", "grid", "spiral"), or the folder of
    IDX files, or of image files, that is named. split: "train" or "test". size: the side that image files are
    brought to, in pixels; skip_broken: leave out those that cannot be read; see images.py.

    Raises DataError, in a sentence that names the file, for anything that cannot be read; NotThere for what is missing.
    """
    if source in toy.WORLDS:
        return toy.load(source)
    folder = Path(__file__).parent / "mnist" if source is None else Path(source)
    if images.has_images(folder):
        return images.load_folder(folder, split, size, skip_broken)
    return idx.load_folder(folder, split)
