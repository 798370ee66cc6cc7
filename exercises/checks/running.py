"""Load the reader's files, or the solutions in their place, and run the checks."""

import importlib.util
import sys
import traceback
from pathlib import Path

import numpy as np

from . import EXERCISES
from .tools import Wrong

FOLDER = Path(__file__).parent.parent
SOLUTIONS = FOLDER / "solutions"
NOT_TENSORS = np.ndarray | np.generic | float | int


def load(number, folder):
    """Return exercise `number` of a folder as a module. Its imports find the exercises that were loaded before it."""
    name = EXERCISES[number][0]
    spec = importlib.util.spec_from_file_location(f"exercises.{name}", Path(folder) / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(number, folder, parts):
    """Check exercise `number` of a folder, with the earlier ones in `parts`. Return None, or what is wrong: a sentence.

    Adds the exercise to parts. An error in the reader's code becomes a sentence too.
    """
    try:
        parts[number] = load(number, folder)
        EXERCISES[number][2](parts)
    except Wrong as wrong:
        return str(wrong)
    except Exception as error:
        return described(error, folder)
    return None


def described(error, folder):
    """Return what was raised, and the last line of a file of this folder that led to it."""
    what, frames = f"{type(error).__name__}: {error}", traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in frames if Path(frame.filename).parent == folder]
    if isinstance(error, AttributeError) and error.name in ("data", "args") and isinstance(error.obj, NOT_TENSORS):
        what = "an operation of Tensors, such as +, got an array or a number: wrap it in Tensor(...)."
        frames = [frame for frame in frames if Path(frame.filename).stem != EXERCISES[2][0]]  # it is not the culprit
    lines = [f"{Path(frame.filename).name}, line {frame.lineno}: {frame.line}" for frame in frames]
    return what + (f" ({lines[-1]})" if lines else "")
