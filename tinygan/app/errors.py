"""Errors as sentences."""

import errno
from contextlib import contextmanager

from ..gan.health import NotFinite, detect_anomaly

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
        return f"there is not enough memory ({error}): try a smaller --batch-size or --latent"
    if isinstance(error, ValueError | RuntimeError):  # those of this project are sentences already
        return str(error)
    return f"{type(error).__name__}: {error} (--debug shows where)"


@contextmanager
def only_warn(terminal, what: str):
    """Within the block, an error is a warning: a picture that cannot be drawn must not end hours of training."""
    try:
        yield
    except Exception as error:
        terminal.warn(f"{what} failed: {in_words(error)}. Training goes on")


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
    except NotFinite as error:
        where = f"at step {i + 1} {error}"
    return TrainingError(
        f"the numbers are no longer finite: {where}. The last checkpoint in {run.folder} is whole; try a smaller --lr"
    )
