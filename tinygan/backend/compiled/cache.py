"""The options of the compiler, and the folder for compiled code.

Numba stores compiled code beside the package, or in the user's cache folder if the package is read-only. If both are
read-only it raises an error. Then this process uses a temporary folder.
"""

import tempfile
import zlib
from pathlib import Path

import numba

# The option "reassoc" is left out, because with it the compiler can change the order of a sum. Numba optimises stored
# code once more when it is loaded, so results before and after the loading could differ in the last bit.
OPTIONS = dict(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp", "afn"})

# A hash of the files of this package.
STAMP = zlib.crc32(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))


def _needs_storage():
    """Do nothing. Compiled below only to find out whether Numba can store code."""


try:
    numba.njit(cache=True)(_needs_storage)
except RuntimeError:
    _folder = tempfile.TemporaryDirectory(prefix="tinygan-")  # removed at the end of the process
    numba.config.CACHE_DIR = _folder.name
