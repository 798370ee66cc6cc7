"""Checkpoints: .npz files without pickle. A checkpoint is written completely or not at all, and checked by a hash.

A checkpoint is an uncompressed archive. It contains arrays, the JSON text "about", and "sha256", the hash of all other
members. np.load can read it too, but `read` is safe even for files from strangers: it reads no more bytes than the file
has, and accepts only array headers that match a pattern. (np.load parses a header as a Python literal, and allocates
memory for any shape in it.) last.previous.npz is the checkpoint before last.npz. It is used if last.npz is damaged.
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
HEADER = re.compile(  # the header that np.save writes before an array: dtype and shape
    rb"\x93NUMPY\x01\0..\{'descr': '([<>|][bfiu][1248])', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n",
    re.DOTALL,
)
DAMAGE = (  # the errors of zipfile, json and numpy for damaged files
    OSError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError, struct.error,
    zipfile.BadZipFile,
)  # fmt: skip


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
    arrays["sha256"] = _sha256(arrays)
    replace(path, lambda file: np.savez(file, **arrays), previous(path) if _is_whole(path) else None)


def load(path, parts, about=None):
    """Load `parts` from a checkpoint that `save` wrote. Return all arrays of the file: {name: array}.

    parts: {name: object with load_state_dict()}. Arrays of other parts are not loaded, only returned. about: the value
    that was given to `save`.

    If the file is damaged, the previous checkpoint is used, with a message to stderr. Raises CheckpointError if both
    are damaged, if the saved `about` is different, and if the arrays do not fit the parts.
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
    for name, part in parts.items():
        prefix = f"{name}."
        try:
            part.load_state_dict({k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)})
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"{path} belongs to other networks, or to other data: {error}") from None
    return arrays


def read(path):
    """Return (about, {name: numpy.ndarray}). Raises CheckpointError if the file is not complete, or was changed."""
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED or m.compress_size != m.file_size for m in members):
                raise ValueError("it is compressed")
            if sum(m.file_size for m in members) > os.fstat(file.fileno()).st_size:
                raise ValueError("its members are larger than the file")
            arrays = {m.filename.removesuffix(".npy"): _array(archive.read(m)) for m in members}
        if arrays.pop("sha256").tobytes() != _sha256(arrays).tobytes():
            raise ValueError("its SHA-256 does not match: its content was changed")
        return json.loads(arrays.pop("about").tobytes()), arrays
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except DAMAGE as error:
        raise CheckpointError(f"{path} is not a complete checkpoint ({error})") from None


def previous(path):
    """Return the path of the checkpoint before `path`."""
    return Path(path).with_suffix(".previous.npz")


def _sha256(arrays):
    """Return the hash of names, dtypes, shapes and contents: uint8 (32,)."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array)
    return np.frombuffer(digest.digest(), np.uint8)


def _array(content):
    """Return the array in `content`, the bytes of a .npy file."""
    header = HEADER.match(content)
    if not header:
        raise ValueError("it contains something else than arrays of numbers")
    shape = [int(size) for size in header[2].split(b",") if size.strip()]
    return np.frombuffer(content, header[1].decode(), offset=header.end()).reshape(shape)


def _is_whole(path):
    """Return whether the file is a complete checkpoint. A damaged file must not replace the previous checkpoint."""
    try:
        return bool(read(path))
    except CheckpointError:
        return False
