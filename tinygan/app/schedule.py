"""The steps after which a run draws a picture: a few steps of its first epoch, and then its pauses.

A GAN changes most in its first steps, so the early pictures are at the steps 0, 10, 30, 100, 300, ... A pause is at the
end of an epoch. Only in a pause, a checkpoint is saved and a line is printed. A run with up to about 35 epochs has a
pause after each epoch. A longer run has about as many, and they become rarer, as a geometric sequence. For example,
with 100 images an epoch of cgan is 3 steps, and a run has 6,250 epochs. Pictures after each epoch would take longer
than the training. All these steps depend only on the settings, so a resumed run has the same.
"""

import math

PICTURES = 40  # pictures of a run, at most; --evaluate-every and stops add more
MEASUREMENTS = 100_000  # of the quality in a run, at most
PAGE_EVERY = 5.0  # seconds between two versions of the curves and report.html, at least
SAVE_EVERY = 60.0  # seconds after which the next checkpoint is due


def early(settings, steps_per_epoch: int) -> list[int]:
    """Return the steps with a picture before the end of the first epoch: 0, 10, 30, 100, 300, ..."""
    end = min(steps_per_epoch, settings.last_step)
    steps = [size * 10**power for power in range(1, len(str(end))) for size in (1, 3)]
    return [0, *(step for step in steps if step < end)]


def shown_epochs(epochs: int, count: int) -> list[int]:
    """Return the epochs with a picture: 1 to `epochs` if there are at most `count`, else a geometric sequence."""
    if epochs <= count:
        return list(range(1, epochs + 1))
    return sorted({round(epochs ** (i / (count - 1))) for i in range(count)})


def pauses(settings, steps_per_epoch: int) -> list[int]:
    """Return the steps of the pauses: the ends of epochs with a picture or a measurement, and the last step."""
    epochs = math.ceil(settings.preset.steps / steps_per_epoch)
    every = settings.evaluate_every
    measured = range(every, epochs + 1, every) if every else range(0)
    if len(measured) > MEASUREMENTS:  # a config.json that somebody has changed
        raise ValueError(f"{len(measured):,} measurements in {epochs:,} epochs are too many: at most {MEASUREMENTS:,}")
    count = PICTURES - len(early(settings, steps_per_epoch))
    chosen = {*shown_epochs(epochs, count), *measured}
    ends = (epoch * steps_per_epoch for epoch in sorted(chosen))
    return [*(end for end in ends if end < settings.last_step), settings.last_step]


def spread(items: list, count: int) -> list:
    """Return at most `count` of the items, evenly spaced, with the first and the last."""
    count = min(count, len(items))
    return [items[round(i * (len(items) - 1) / max(1, count - 1))] for i in range(count)]
