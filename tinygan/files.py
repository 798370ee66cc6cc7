"""Write files completely or not at all."""

import contextlib
import os
import time
from pathlib import Path

WINDOWS = os.name == "nt"
PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # seconds before a file is renamed once more


def write_text(path, text):
    """Write a text file completely or not at all."""
    replace(path, lambda file: file.write(text.encode()))


def replace(path, write, keep_as=None):
    """Replace the file `path` by the bytes that write(file) writes. The old file stays until all bytes are on the disk.

    keep_as: a new name for the old file. If writing fails, the old file stays, and OSError with the path is raised.
    If `path` is a link, the link is replaced, and the file to which it points does not change.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with new_file(temporary) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if keep_as:
            rename(path, keep_as)
        rename(temporary, path)
        if os.name == "posix":  # write the new name of the file to the disk too
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def rename(path, new):
    """Rename a file; a file with the new name is replaced.

    Windows refuses this while another program, such as a virus scanner or a viewer, has one of the files open. This
    usually lasts for a moment only.
    """
    for pause in PAUSES if WINDOWS else ():
        with contextlib.suppress(PermissionError):
            return os.replace(path, new)
        time.sleep(pause)
    os.replace(path, new)


def new_file(path):
    """Open a new file for writing bytes. An old file or link of this name is removed first."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "wb")
