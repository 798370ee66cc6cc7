"""Checkpoints: .npz files without pickle. A checkpoint is written completely or not at all, and checked by a hash.

A checkpoint contains the arrays of the parts of a run, and the JSON text "about" (archive.py describes the file).
last.previous.npz is the checkpoint before last.npz. It is used if last.npz is damaged.
"""

import json
import sys
from pathlib import Path

import numpy as np

from .. import archive, backend
from ..files import replace

FORMAT = 1


class CheckpointError(ValueError):
    """A checkpoint that cannot be used. The message names the file and the problem."""


def save(path, parts, about=None):
    """Write parts, {name: object with state_dict()}, and about, a dict of JSON values, to `path`.

    When the new file is on the disk, the old file becomes the previous checkpoint, unless it is damaged.
    """
    arrays = {
        f"{name}.{key}": np.asarray(backend.to_host(array), order="C")
        for name, part in parts.items()
        for key, array in part.state_dict().items()
    }
    arrays["about"] = np.frombuffer(json.dumps({"format": FORMAT, **(about or {})}).encode(), np.uint8)
    replace(path, lambda file: archive.write(file, arrays), previous(path) if _is_whole(path) else None)


def load(path, parts, about=None):
    """Load `parts` from a checkpoint that `save` wrote. Return all arrays of the file: {name: array}.

    parts: {name: object with load_state_dict()}. Arrays of other parts are not loaded, only returned. about: the value
    that was given to `save`. Raises CheckpointError as `newest` and `restore` do.
    """
    path, arrays = newest(path, about)
    restore(path, arrays, parts)
    return arrays


def newest(path, about=None):
    """Return (path, all arrays of the checkpoint {name: array}).

    If the file is damaged, the previous checkpoint is used, with a message to stderr. Raises CheckpointError if both
    are damaged, and if the saved `about` is different.
    """
    try:
        found, arrays = read(path)
    except CheckpointError as error:
        try:
            found, arrays = read(path := previous(path))
        except CheckpointError as other:
            raise CheckpointError(f"no checkpoint can be used: {error}; {other}") from None
        print(f"{error}; using the previous checkpoint, {path}", file=sys.stderr)
    if found != (wanted := {"format": FORMAT, **(about or {})}):
        raise CheckpointError(f"{path} belongs to another kind of run, or to another version: {found}, not {wanted}")
    return path, arrays


def restore(path, arrays, parts):
    """Load `parts` from the arrays of a checkpoint. Raises CheckpointError, with the path, if they do not fit."""
    for name, part in parts.items():
        prefix = f"{name}."
        try:
            part.load_state_dict({k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)})
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"{path} belongs to other networks, or to other data: {error}") from None


def read(path):
    """Return (about, {name: array}) of a checkpoint. Raises CheckpointError if the file is not a whole checkpoint."""
    try:
        arrays = archive.read(path)
        return json.loads(arrays.pop("about").tobytes()), arrays
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except archive.DAMAGE as error:
        raise CheckpointError(f"{path} is not a complete checkpoint ({error})") from None


def previous(path):
    """Return the path of the checkpoint before `path`."""
    return Path(path).with_suffix(".previous.npz")


def _is_whole(path):
    """Return whether the file is a complete checkpoint. A damaged file must not replace the previous checkpoint."""
    try:
        return bool(read(path))
    except CheckpointError:
        return False
