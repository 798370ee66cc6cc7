"""A run on disk: one .npz of plain arrays, no pickle, written whole or not at all."""

import os
import zipfile
from pathlib import Path

import numpy as np

from . import backend


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and what is wrong."""


def save(path, parts):
    """Write {name: an object with state_dict()} to `path`. The old file stays until the new one is complete."""
    path = Path(path)
    arrays = {
        f"{name}.{key}": backend.to_host(array)
        for name, part in parts.items()
        for key, array in part.state_dict().items()
    }
    temporary = path.with_suffix(".tmp")
    with open(temporary, "wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_text(path, text):
    """Write a small file whole or not at all."""
    temporary = Path(f"{path}.tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def load(path, parts):
    """Put what `save` wrote back into the same parts; names in the file that belong to no part are left alone.

    Raises CheckpointError for a file that is missing, damaged, or of other networks.
    """
    arrays = read(path)
    for name, part in parts.items():
        prefix = f"{name}."
        try:
            part.load_state_dict({k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)})
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"{path}: {error}") from None


def read(path):
    """The arrays of a checkpoint, {name: numpy.ndarray}."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: not a whole checkpoint ({error})") from None
