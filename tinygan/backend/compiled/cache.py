"""The options of the compiler, and the folder for compiled code.

Numba stores compiled code beside the package, or in the user's cache folder if the package is read-only. If both are
read-only, Numba raises an error. Then this file chooses a temporary folder, and each process compiles again.
"""

import tempfile
import zlib
from pathlib import Path

import numba

# With the option "reassoc", the compiler could change the order of a sum. Numba optimises stored code once more when it
# loads the code. So the process that compiles and the processes that load could get different last bits.
OPTIONS = dict(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp", "afn"})

# A hash of the files of this package, for the names of compiled loops (elementwise.py).
STAMP = zlib.crc32(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))


def _needs_storage():
    """Do nothing. This function is decorated below only to find out whether Numba can store code."""


try:
    numba.njit(cache=True)(_needs_storage)
except RuntimeError:
    _folder = tempfile.TemporaryDirectory(prefix="tinygan-")  # removed at the end of the process
    numba.config.CACHE_DIR = _folder.name
