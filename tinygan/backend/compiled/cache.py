"""Where compiled code is stored.

Numba stores it beside the package, or in the user's cache folder where that is read-only, and raises an error where
neither can be written. In that case this process uses a temporary folder.
"""

import tempfile

import numba


def _needs_storage():
    """A function that Numba is asked to store."""


try:
    numba.njit(cache=True)(_needs_storage)
except RuntimeError:
    _folder = tempfile.TemporaryDirectory(prefix="tinygan-")  # removed at the end of the process
    numba.config.CACHE_DIR = _folder.name
