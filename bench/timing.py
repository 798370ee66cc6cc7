"""Time training steps on a shared machine."""

import time


def fastest_step(training, batches, steps):
    """Do some steps, and return the seconds of the fastest. Other programs can only make a step slower."""
    batches.start_epoch(0)
    seconds = []
    for _ in range(steps):
        started = time.perf_counter()
        training.step(batches)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
