"""Files that are written whole or not at all."""

import contextlib
import os
from pathlib import Path


def write_text(path, text):
    """Write a small file whole or not at all."""
    replace(path, lambda file: file.write(text.encode()))


def replace(path, write, keep_as=None):
    """write(file) makes the new content of `path`, which takes the place of the old when all of it is on the disk.

    keep_as: where the old one goes. Raises OSError, with the name, where it cannot be written; the old one stays.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if keep_as:
            os.replace(path, keep_as)
        os.replace(temporary, path)
        if os.name == "posix":  # a name is on the disk when its folder is
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
