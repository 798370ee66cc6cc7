"""Errors as sentences."""

import errno
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from ..gan.health import NotFinite, detect_anomaly
from .terminal import printable

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why."""


def in_words(error: BaseException) -> str:
    """Return an error as a sentence."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        advice = ". The last checkpoint is whole: make room, then use --resume" if error.errno in FULL else ""
        return f"{where}{error.strerror}{advice}"
    if isinstance(error, MemoryError):
        what = f" ({error})" if str(error) else ""
        return f"there is not enough memory{what}: try a smaller --batch-size or --latent, or fewer samples"
    if isinstance(error, ValueError | RuntimeError):  # those of this project are sentences already
        return str(error)
    return f"{type(error).__name__}: {error} (--debug shows where)"


def run_program(name: str, main: Callable[[Any], int], args) -> int | str:
    """Return main(args), the exit status of a program. An error becomes one sentence, or with --debug a traceback."""
    try:
        return main(args)
    except KeyboardInterrupt:
        print(f"{name}: interrupted; what it has written is whole", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            raise
        return printable(f"{name}: {in_words(error)}")


@contextmanager
def only_warn(terminal, what: str):
    """Within the block, an error is a warning: a picture that cannot be drawn must not end hours of training."""
    try:
        yield
    except Exception as error:
        terminal.warn(f"{what} failed: {in_words(error)}. The run itself is not affected")


def not_finite(run, dataset, step: int) -> TrainingError:
    """Return the error for numbers that are no longer finite at `step`.

    Repeats the steps since the last checkpoint to find the operation where it began.
    """
    training, batches = run.settings.training(), run.settings.batches(dataset)
    run.load(training=training, batches=batches)
    where = "it did not happen again when the steps since the last checkpoint were repeated"
    try:
        with detect_anomaly():
            for i in range(int(training.steps[0]), step):
                if i % batches.steps_per_epoch == 0:
                    batches.start_epoch(i // batches.steps_per_epoch)
                training.step(batches)
        if not training.is_finite():
            where = f"at step {step} in a gradient, or in the update of the weights"
    except NotFinite as error:
        where = f"at step {i + 1} {error}"
    return TrainingError(
        f"the numbers are no longer finite: {where}. The last checkpoint in {run.folder} is whole; try a smaller --lr"
    )
