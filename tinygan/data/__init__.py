"""Images to learn from: MNIST, which comes with the package, or any folder in the same form."""

from pathlib import Path

from .batches import Batches
from .idx import DataError, Dataset, load_folder
from .pixels import to_pixels, to_unit

__all__ = ["Batches", "DataError", "Dataset", "load", "to_pixels", "to_unit"]


def load(source=None, split="train"):
    """The images and labels of a folder of IDX files, or of MNIST when there is no source. split: "train" or "test".

    Returns a Dataset. Raises DataError, in a sentence that names the file, for anything that cannot be read.
    """
    if source is None:
        return load_folder(Path(__file__).parent / "mnist", split)
    return load_folder(Path(source), split)
