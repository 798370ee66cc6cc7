"""Convert errors to sentences for the user."""

import errno
import sys
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from ..backend import distributed
from ..gan.health import NotFinite, detect_anomaly
from .terminal import printable

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk is full, or a limit of the user or of a file is reached
OF_THE_GPU = ("CUDARuntimeError", "CUDADriverError")  # CuPy's errors. They often appear later than their cause


class TrainingError(RuntimeError):
    """Training cannot continue. The message says why."""


def in_words(error: BaseException) -> str:
    """Return an error as a sentence."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    if isinstance(error, MemoryError) or "out of memory" in str(error):
        what = f" ({error})" if str(error) else ""
        return f"there is not enough memory{what}: try a smaller --batch-size or --latent, or fewer samples"
    if type(error).__name__ in OF_THE_GPU:
        advice = "The cause may be an earlier operation. To find it, run again with CUDA_LAUNCH_BLOCKING=1"
        return f"{error}. {advice} in the environment, and the options --no-graph --debug"
    if isinstance(error, ValueError | RuntimeError):  # in tinygan their messages are sentences
        return str(error)
    return f"{type(error).__name__}: {error} (--debug shows where)"


def run_program(name: str, main: Callable[[Any], int], args) -> int | str:
    """Return main(args), the exit status of a program. After an error, return it as a sentence; with --debug, raise it.

    If several processes train together, an error in one process ends all processes.
    """
    try:
        status = main(args)
        distributed.finish()
        return status
    except KeyboardInterrupt:
        sentence = f"{name}: interrupted; all files written so far are complete"
        distributed.end(sentence)
        print(sentence, file=sys.stderr)
        return 130
    except Exception as error:
        advice = ""
        if isinstance(error, OSError) and error.errno in FULL:
            resume = ". The last checkpoint is complete: free some space, then use --resume"
            advice = resume if name == "train.py" else ": free some space"
        sentence = printable(f"{name}: {in_words(error)}{advice}")
        distributed.end(traceback.format_exc() if args.debug else sentence)
        if args.debug:
            raise
        return sentence


@contextmanager
def only_warn(terminal, what: str):
    """with only_warn(...): turn an error into a warning. For example, a broken plot must not end the training.

    what: the action in the block, such as "drawing the curves".
    """
    try:
        yield
    except Exception as error:
        terminal.warn(f"{what} failed: {in_words(error)}. The run itself is not affected")


def not_finite(run, dataset, step: int) -> TrainingError:
    """Return the TrainingError for a number that is not finite at `step`.

    To find the operation that gave the number, the steps since the last checkpoint are repeated. If several processes
    train together, only process 0 repeats them.
    """
    if distributed.rank:
        distributed.finish()  # waits until process 0 ends all processes
    with distributed.alone():
        where = _repeat(run, dataset, step)
    return TrainingError(
        f"a number is not finite: {where}. The last checkpoint in {run.folder} is complete; try a smaller --lr"
    )


def _repeat(run, dataset, step: int) -> str:
    """Repeat the steps from the last checkpoint to `step`. Return a text that says where a number is not finite."""
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
    return "it did not occur again when the steps since the last checkpoint were repeated"
