"""Things to learn from: MNIST, which comes with the package, any folder in the same form, or a toy world of points."""

from pathlib import Path

from . import toy
from .batches import Batches
from .idx import DataError, Dataset, load_folder
from .pixels import to_pixels, to_unit

__all__ = ["Batches", "DataError", "Dataset", "load", "to_pixels", "to_unit", "toy"]


def load(source=None, split="train"):
    """A Dataset: MNIST when there is no source, a toy world by its name ("ring", "grid", "spiral"), or the folder of
    IDX files that is named. split: "train" or "test".

    Raises DataError, in a sentence that names the file, for anything that cannot be read.
    """
    if source in toy.WORLDS:
        return toy.load(source)
    return load_folder(Path(__file__).parent / "mnist" if source is None else Path(source), split)
