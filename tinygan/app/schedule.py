"""When a run pauses to show itself: after each epoch of a short run, after some 40 epochs of a long one.

With 100 images an epoch of cgan is 3 steps, and a run has 10,000 epochs. Pictures, a page and a checkpoint after each
of them would take far longer than the steps. So the pauses of a long run grow geometrically: a GAN changes most in its
first steps. They follow from the settings alone, so a run that was resumed draws the same pictures as one that was not.
The curves and the page show only the latest state; they are drawn at a pause if PAGE_EVERY seconds have passed.
"""

import math

PICTURES = 40  # the most epochs of a run that are shown, without --evaluate-every
PAGE_EVERY = 10.0  # seconds between two versions of the curves and the page
SAVE_EVERY = 60.0  # the most seconds between two checkpoints


def shown_epochs(epochs: int) -> list[int]:
    """Return the epochs that are shown, from 1 to `epochs`: all if there are few, else a geometric series."""
    if epochs <= PICTURES:
        return list(range(1, epochs + 1))
    return sorted({round(epochs ** (i / (PICTURES - 1))) for i in range(PICTURES)})


def pauses(settings, steps_per_epoch: int) -> list[int]:
    """Return the steps after which a run pauses, in order: the ends of the epochs that are shown or measured, and the
    last step of the run."""
    epochs = math.ceil(settings.preset.steps / steps_per_epoch)
    every = settings.evaluate_every
    chosen = {*shown_epochs(epochs), *(range(every, epochs + 1, every) if every else ())}
    ends = (epoch * steps_per_epoch for epoch in sorted(chosen))
    return [*(end for end in ends if end < settings.last_step), settings.last_step]


def spread(items: list, count: int) -> list:
    """Return at most `count` items: the first, the last, and even steps between."""
    count = min(count, len(items))
    return [items[round(i * (len(items) - 1) / max(1, count - 1))] for i in range(count)]
