"""Named arrays in a file .npz, without pickle, and with a hash. Reading is safe even for files from strangers.

A file is an uncompressed archive of arrays, and of "sha256", the hash of all others. np.load can read it too, but
`read` reads no more bytes than the file has, and accepts only array headers that match a pattern. (np.load parses a
header as a Python literal, and allocates memory for any shape in it.)
"""

import hashlib
import os
import re
import struct
import zipfile
import zlib

import numpy as np

HEADER = re.compile(  # the header that np.save writes before an array: dtype and shape
    rb"\x93NUMPY\x01\0..\{'descr': '([<>|][bfiu][1248])', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n",
    re.DOTALL,
)
DAMAGE = (  # the errors of zipfile, json and numpy for damaged files
    OSError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError, MemoryError, struct.error,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class Damaged(ValueError):
    """The file is not complete, or was changed. The message says what is wrong."""


def write(file, arrays):
    """Write {name: NumPy array} to an open file."""
    np.savez(file, **arrays, sha256=_sha256(arrays))


def read(path):
    """Return {name: array} of a file that `write` wrote. Raises FileNotFoundError, and Damaged for another content."""
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
        return arrays
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise Damaged(str(error) or type(error).__name__) from None


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
