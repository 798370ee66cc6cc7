"""Load the reader's files, or the solutions in their place, and run the checks."""

import importlib.util
import sys
import traceback
from pathlib import Path

from . import EXERCISES
from .tools import Wrong

FOLDER = Path(__file__).parent.parent
SOLUTIONS = FOLDER / "solutions"


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
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{Path(f.filename).name}, line {f.lineno}: {f.line}" for f in frames if Path(f.filename).parent == folder]
    return f"{type(error).__name__}: {error}" + (f" ({lines[-1]})" if lines else "")
