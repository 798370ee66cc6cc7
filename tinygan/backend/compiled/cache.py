"""How functions are compiled, and where the code is stored.

Numba stores it beside the package, or in the user's cache folder where that is read-only, and raises an error where
neither can be written. In that case this process uses a temporary folder.
"""

import tempfile
import zlib
from pathlib import Path

import numba

# Without "reassoc", which lets the compiler sum in another order: code just compiled and the same code read from the
# disk, optimised once more, would then differ in the last bit.
OPTIONS = dict(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp", "afn"})

STAMP = zlib.crc32(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))  # of our sources


def _needs_storage():
    """A function that Numba is asked to store."""


try:
    numba.njit(cache=True)(_needs_storage)
except RuntimeError:
    _folder = tempfile.TemporaryDirectory(prefix="tinygan-")  # removed at the end of the process
    numba.config.CACHE_DIR = _folder.name
