"""Measure how the time of a dcgan step grows with the batch and with the channels.

python bench/scale.py            draws bench/results/scale.png, and prints its numbers
"""

import statistics
import sys
import time
from functools import partial
from pathlib import Path

from turns import start_again

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tinygan import backend, data  # noqa: E402
from tinygan.backend.cpu import threads  # noqa: E402
from tinygan.gan import models, presets  # noqa: E402

BATCHES = (32, 64, 128, 256, 512, 1024)
WIDTHS = (16, 32, 64, 128)
STEPS = 5


def milliseconds(batch_size, width):
    """Return the median time of a step."""
    networks = partial(models.dcgan_generator, width=width), partial(models.dcgan_discriminator, width=width)
    preset = presets.PRESETS["dcgan"]._replace(generator=networks[0], discriminator=networks[1], batch_size=batch_size)
    training, batches = presets.build(preset, (28, 28, 1), seed=0), data.Batches(data.load(), batch_size, seed=0)
    batches.start_epoch(0)
    seconds = []
    for _ in range(STEPS + 1):
        started = time.perf_counter()
        training.step(batches)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds[1:])


def main():
    start_again()
    backend.tune()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    by_batch, by_width = figure.subplots(1, 2)
    each = [milliseconds(batch, 32) / batch for batch in BATCHES]
    by_batch.plot(BATCHES, each, "o-")
    by_batch.set(xscale="log", xlabel="batch", ylabel="milliseconds an image (32 channels)", ylim=(0, None))
    steps = [milliseconds(64, width) for width in WIDTHS]
    by_width.plot(WIDTHS, steps, "o-", label="measured")
    square = [steps[-1] * (width / WIDTHS[-1]) ** 2 for width in WIDTHS]
    by_width.plot(WIDTHS, square, "--", label="the square of the channels")
    by_width.set(xscale="log", yscale="log", xlabel="channels", ylabel="milliseconds a step (batch 64)")
    by_width.legend()
    figure.suptitle(f"dcgan on {threads.THREADS} threads")
    figure.savefig(ROOT / "bench/results/scale.png", dpi=90)
    print("batch, ms per image:", [(batch, round(ms, 2)) for batch, ms in zip(BATCHES, each)])
    print("channels, ms a step:", [(width, round(ms, 1)) for width, ms in zip(WIDTHS, steps)])


if __name__ == "__main__":
    main()
