"""The pauses of a run: the steps after which the training stops for a short time, to write pictures and report.html.

A run with at most 40 epochs has a pause after each epoch. A longer run has 25 to 40 pauses. For example, with 100
images an epoch of cgan is 3 steps, and a run has 6,250 epochs. Pictures after each epoch would take longer than the
training. In a long run the pauses become rarer, as a geometric sequence, because a GAN changes most in its first steps.
The pauses depend only on the settings, so a resumed run has the same pauses.
"""

import math

PICTURES = 40  # epochs with a picture, at most; --evaluate-every adds more
MEASUREMENTS = 100_000  # of the quality in a run, at most
PAGE_EVERY = 10.0  # seconds between two versions of the curves and report.html, at least
SAVE_EVERY = 60.0  # seconds after which the next checkpoint is due


def shown_epochs(epochs: int) -> list[int]:
    """Return the epochs with a picture: 1 to `epochs` if there are at most PICTURES, else a geometric sequence."""
    if epochs <= PICTURES:
        return list(range(1, epochs + 1))
    return sorted({round(epochs ** (i / (PICTURES - 1))) for i in range(PICTURES)})


def pauses(settings, steps_per_epoch: int) -> list[int]:
    """Return the steps of the pauses: the ends of epochs with a picture or a measurement, and the last step."""
    epochs = math.ceil(settings.preset.steps / steps_per_epoch)
    every = settings.evaluate_every
    measured = range(every, epochs + 1, every) if every else range(0)
    if len(measured) > MEASUREMENTS:  # a config.json that somebody has changed
        raise ValueError(f"{len(measured):,} measurements in {epochs:,} epochs are too many: at most {MEASUREMENTS:,}")
    chosen = {*shown_epochs(epochs), *measured}
    ends = (epoch * steps_per_epoch for epoch in sorted(chosen))
    return [*(end for end in ends if end < settings.last_step), settings.last_step]


def spread(items: list, count: int) -> list:
    """Return at most `count` of the items, evenly spaced, with the first and the last."""
    count = min(count, len(items))
    return [items[round(i * (len(items) - 1) / max(1, count - 1))] for i in range(count)]
