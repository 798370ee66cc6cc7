"""Compile functions with Numba, and store their code on disk for later processes.

The name of a file is a hash of everything that its code is made from: the function, the constants and helpers that it
reads, the types of its arguments, the files of the backend, the versions of the compiler, and the processor. So stored
code is never older than its source. (Numba's own store compares only the file of the outermost function.)

A damaged file is compiled again. If nothing can be stored, each process compiles. Both are one warning, not an error.
"""

import contextlib
import functools
import hashlib
import inspect
import logging
import os
import pickle
import sys
import tempfile
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import llvmlite
import numba
import numpy as np
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

# With the option "reassoc", the compiler could change the order of a sum. Numba optimises stored code once more when it
# loads the code. So the process that compiles and the processes that load could get different last bits.
OPTIONS = dict(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp", "afn"})

FILES = 1000  # the folder keeps this number of files, those that were used last
CONSTANTS = bool, int, float, complex, str, bytes, np.generic, np.dtype, type(None), type(...)
LIBRARIES = {"builtins", "llvmlite", "math", "numba", "numpy"}  # their versions stand for their code
VERSIONS = sys.version, numba.__version__, llvmlite.__version__, np.__version__
BACKEND = [path.read_bytes() for path in sorted(Path(__file__).parents[1].rglob("*.py"))]
MADE_FROM = hashlib.sha256(repr((VERSIONS, BACKEND)).encode()).digest()


def kernel(function, signature=None):
    """Compile a function whose loops run on all threads: for this signature now, or at each first call."""
    key = name_by_content(function)
    compiled = numba.njit(parallel=True, **OPTIONS)(function)
    if key:
        compiled._cache = Store(f"{function.__name__}-{key}")
    if signature:
        compiled.compile(signature)
        compiled.disable_compile()
    return compiled


def name_by_content(function):
    """Return a hash of a function and of all that it reads, and append it to the function's name.

    Numba needs different names for different code, also from different processes. None: the content is not known.
    """
    try:
        content = repr(_content(function, (), set()))
    except TypeError:
        return None
    key = hashlib.sha256(MADE_FROM + content.encode()).hexdigest()[:16]
    function.__qualname__ = f"{function.__name__}_{key}"
    return key


def _content(value, names, seen):
    """Return what compiled code depends on if it reads this value: nested tuples of numbers and texts.

    names: the names that the function reads. If the value is a module, it reads those that are in the module.
    """
    if isinstance(value, CONSTANTS):
        return type(value).__name__, repr(value)
    if isinstance(value, (tuple, list, frozenset)):
        return tuple(_content(item, names, seen) for item in value)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, CodeType):
        return value.co_code, value.co_varnames, value.co_names, _content(value.co_consts, names, seen)
    value = inspect.unwrap(getattr(value, "py_func", getattr(value, "_defn", value)))  # of njit, intrinsic, fuse
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
    if module.partition(".")[0] in LIBRARIES:
        return module, getattr(value, "__qualname__", None) or value.__name__
    if id(value) in seen:
        return ()
    seen.add(id(value))
    if isinstance(value, ModuleType):
        return module, [(n, _content(vars(value)[n], names, seen)) for n in names if n in vars(value)]
    if not isinstance(value, FunctionType):
        raise TypeError(f"compiled code cannot be stored if it reads {value!r}")
    code, cells = value.__code__, [cell.cell_contents for cell in value.__closure__ or ()]
    names = _names(code)
    read = [(n, _content(value.__globals__[n], names, seen)) for n in names if n in value.__globals__]
    return _content((code, value.__defaults__, tuple(cells)), names, seen), read


def _names(code):
    """Return the names of globals and attributes in a code object, and in the functions that are defined in it."""
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return sorted({*code.co_names, *(name for names in inner for name in names)})


class Store(NullCache):
    """The stored code of one function, a file for each signature. Each file begins with a hash of the rest."""

    def __init__(self, name):
        self.name = name

    def path(self, signature, codegen):
        key = hashlib.sha256(repr((signature, codegen.magic_tuple())).encode()).hexdigest()
        return folder() / f"{self.name}-{key[:16]}"

    def load_overload(self, signature, context):
        """Return stored code, or None if it is not stored or damaged."""
        context.refresh()
        path = self.path(signature, context.codegen())
        try:
            digest, code = (data := path.read_bytes())[:32], data[32:]
        except OSError:
            return None
        if hashlib.sha256(code).digest() != digest:
            warn(f"compiled code in {path.parent} is damaged: compiling it again")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return CompileResult._rebuild(context, *pickle.loads(code))

    def save_overload(self, signature, result):
        """Store code, unless it contains addresses of this process."""
        if result.library.has_dynamic_globals:
            return
        code, path = dumps(result._reduce()), self.path(signature, result.codegen)
        try:
            make_room()
            temporary = tempfile.NamedTemporaryFile(dir=path.parent, delete=False)
            with temporary:
                temporary.write(hashlib.sha256(code).digest() + code)
            os.replace(temporary.name, path)
        except OSError as error:
            warn(f"compiled code cannot be stored in {path.parent} ({error.strerror}): each process compiles it again")
            with contextlib.suppress(OSError, NameError):
                os.unlink(temporary.name)


@functools.cache
def folder():
    """Return the folder for compiled code: beside the package, or in the user's cache if the package is read-only.

    The environment variable NUMBA_CACHE_DIR chooses another.
    """
    beside, users = Path(__file__).parent / "__pycache__", Path(AppDirs("tinygan", appauthor=False).user_cache_dir)
    places = [Path(numba.config.CACHE_DIR)] if numba.config.CACHE_DIR else [beside, users]
    for place in places:
        with contextlib.suppress(OSError):
            (place / "compiled").mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place / "compiled").close()
            return place / "compiled"
    return places[0] / "compiled"  # nothing can be stored: saving says why


@functools.cache
def make_room():
    """Delete all files but the last FILES, once in a process."""
    used = {path: path.stat().st_mtime for path in folder().iterdir()}
    for path in sorted(used, key=used.get, reverse=True)[FILES:]:
        path.unlink(missing_ok=True)


@functools.cache
def warn(text):
    """Log a warning, once in a process."""
    logging.getLogger("tinygan").warning("%s", text)
