"""A training on disk: plain arrays in one .npz, no pickle, written whole or not at all, believed if its hash fits.

The members of the archive are stored, not packed: the arrays; "about", which is JSON; "sha256", over all the others.
np.load opens it too. Here nothing in the file is taken at its word: a member is read within the size of the file, and
its header is matched, never evaluated. Beside last.npz lies last.previous.npz, for when last.npz was damaged.
"""

import hashlib
import json
import os
import re
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np

from .. import backend
from ..files import replace

FORMAT = 1
HEADER = re.compile(  # what np.save writes before an array of numbers: its dtype and its shape
    rb"\x93NUMPY\x01\0..\{'descr': '([<>|][bfiu][1248])', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n",
    re.DOTALL,
)
DAMAGE = (  # whatever zipfile, json and numpy say of bytes that make no sense
    OSError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError, struct.error,
    zipfile.BadZipFile,
)  # fmt: skip


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and what is wrong."""


def save(path, parts, about=None):
    """Write {name: an object with state_dict()} to `path`, and beside it `about`, a dict that survives JSON.

    The old file stays until the new one is on the disk, and then becomes the previous one.
    """
    arrays = {
        f"{name}.{key}": np.asarray(backend.to_host(array), order="C")
        for name, part in parts.items()
        for key, array in part.state_dict().items()
    }
    arrays["about"] = np.frombuffer(json.dumps({"format": FORMAT, **(about or {})}).encode(), np.uint8)
    arrays["sha256"] = _sha256(arrays)
    replace(path, lambda file: np.savez(file, **arrays), previous(path) if _is_whole(path) else None)


def load(path, parts, about=None):
    """Put what `save` wrote back into the same parts; names in the file that belong to no part are left alone.
    Returns all its arrays, by name.

    Where the file is damaged, the previous one is used, and stderr hears of it. Raises CheckpointError when neither is
    whole, and for a checkpoint that is about something else, or of other networks.
    """
    try:
        found, arrays = read(path)
    except CheckpointError as error:
        try:
            found, arrays = read(path := previous(path))
        except CheckpointError as other:
            raise CheckpointError(f"no checkpoint can be used: {error}; {other}") from None
        print(f"{error}; using the one before it, {path}", file=sys.stderr)
    if found != (wanted := {"format": FORMAT, **(about or {})}):
        raise CheckpointError(f"{path} is of another kind of run, or of another version: {found}, not {wanted}")
    for name, part in parts.items():
        prefix = f"{name}."
        try:
            part.load_state_dict({k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)})
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"{path}: {error}") from None
    return arrays


def read(path):
    """(what it is about, {name: numpy.ndarray}). Raises CheckpointError unless every byte is as it was saved."""
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED or m.compress_size != m.file_size for m in members):
                raise ValueError("it is packed")
            if sum(m.file_size for m in members) > os.fstat(file.fileno()).st_size:
                raise ValueError("it claims more than a file of its size can hold")
            arrays = {m.filename.removesuffix(".npy"): _array(archive.read(m)) for m in members}
        if arrays.pop("sha256").tobytes() != _sha256(arrays).tobytes():
            raise ValueError("its hash is another: something in it was changed")
        return json.loads(arrays.pop("about").tobytes()), arrays
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except DAMAGE as error:
        raise CheckpointError(f"{path}: not a whole checkpoint ({error})") from None


def previous(path):
    """Where the checkpoint lies that `path` replaced."""
    return Path(path).with_suffix(".previous.npz")


def _sha256(arrays):
    """Of names, kinds, shapes and contents: uint8 (32,)."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array)
    return np.frombuffer(digest.digest(), np.uint8)


def _array(content):
    """The array in a member, which is the bytes of an .npy file."""
    header = HEADER.match(content)
    if not header:
        raise ValueError("there is something in it that no checkpoint holds")
    shape = [int(size) for size in header[2].split(b",") if size.strip()]
    return np.frombuffer(content, header[1].decode(), offset=header.end()).reshape(shape)


def _is_whole(path):
    """Whether the file may push out the previous one: a damaged one must not."""
    try:
        return bool(read(path))
    except CheckpointError:
        return False
