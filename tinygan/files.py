"""Files that are written whole or not at all."""

import contextlib
import os
from pathlib import Path


def write_text(path, text):
    """Write a small file whole or not at all."""
    replace(path, lambda file: file.write(text.encode()))


def replace(path, write, keep_as=None):
    """Call write(file) for the new content of `path`, and replace the old file once all of it is on the disk.

    keep_as: a new name for the old file. Raises OSError with the name if writing fails; the old file then stays. Links
    are replaced and never followed: a folder from a stranger cannot make this write outside of it.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with new_file(temporary) as file:
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


def new_file(path):
    """Open a file that did not exist, for writing bytes; what had its name, a link perhaps, is removed first."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "wb")
