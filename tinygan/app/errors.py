"""Errors as sentences."""

import errno
import sys
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from ..backend import distributed
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
    """Return main(args), the exit status of a program. An error becomes one sentence, or with --debug a traceback.

    The error of one of several processes ends all.
    """
    try:
        status = main(args)
        distributed.finish()
        return status
    except KeyboardInterrupt:
        sentence = f"{name}: interrupted; what it has written is whole"
        distributed.end(sentence)
        print(sentence, file=sys.stderr)
        return 130
    except Exception as error:
        sentence = printable(f"{name}: {in_words(error)}")
        distributed.end(traceback.format_exc() if args.debug else sentence)
        if args.debug:
            raise
        return sentence


@contextmanager
def only_warn(terminal, what: str):
    """Within the block, an error is a warning: a picture that cannot be drawn must not end hours of training."""
    try:
        yield
    except Exception as error:
        terminal.warn(f"{what} failed: {in_words(error)}. The run itself is not affected")


def not_finite(run, dataset, step: int) -> TrainingError:
    """Return the error for numbers that are no longer finite at `step`.

    Repeats the steps since the last checkpoint to find the operation where it began. Of several processes, process 0
    repeats them alone.
    """
    if distributed.rank:
        distributed.finish()  # waits for process 0, which ends all
    with distributed.alone():
        where = _repeat(run, dataset, step)
    return TrainingError(
        f"the numbers are no longer finite: {where}. The last checkpoint in {run.folder} is whole; try a smaller --lr"
    )


def _repeat(run, dataset, step: int) -> str:
    """Repeat the steps since the last checkpoint until `step`; return in words where a number is not finite."""
    training, batches = run.settings.training(), run.settings.batches(dataset)
    run.load(training=training, batches=batches)
    try:
        with detect_anomaly():
            for i in range(int(training.steps[0]), step):
                if i % batches.steps_per_epoch == 0:
                    batches.start_epoch(i // batches.steps_per_epoch)
                training.step(batches)
        if not training.is_finite():
            return f"at step {step} in a gradient, or in the update of the weights"
    except NotFinite as error:
        return f"at step {i + 1} {error}"
    return "it did not happen again when the steps since the last checkpoint were repeated"
