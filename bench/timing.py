"""Time training steps on a shared machine."""

import time


def fastest_step(training, batches, steps):
    """Return the seconds of the fastest of these steps, because interference on a shared machine only adds time."""
    batches.start_epoch(0)
    seconds = []
    for _ in range(steps):
        started = time.perf_counter()
        training.step(batches)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
