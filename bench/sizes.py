"""Measure the time of a step and the memory of the default preset, for images of several sizes.

    python bench/sizes.py            prints a table, and writes it into the README

Each row is measured in its own process, with random images. The time is that of the fastest step. The memory is the
largest resident set without the images.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import readme
from machine import describe
from timing import fastest_step
from turns import environment, start_again

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tinygan import backend, data  # noqa: E402
from tinygan.app.options import DEFAULT  # noqa: E402
from tinygan.backend.cpu import threads  # noqa: E402
from tinygan.gan import presets  # noqa: E402

SHAPES = [(28, 28, 1), (32, 32, 3), (64, 64, 3)]
STEPS, IMAGES, CLASSES = 60, 10_000, 10


def measure(shape):
    """Measure images of this shape in a new process. Return {name: number}."""
    words = [sys.executable, "-W", "ignore", __file__, *map(str, shape)]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True, env=environment()).stdout)


def child(shape):
    backend.tune()
    preset, rng = presets.PRESETS[DEFAULT], np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, *shape), dtype=np.uint8)
    dataset = data.Dataset(images, np.arange(IMAGES) % CLASSES, "noise")
    training = presets.build(preset, shape, seed=0, classes=CLASSES)
    batches = data.Batches(dataset, preset.batch_size, seed=0, with_labels=True)
    return {
        "step": fastest_step(training, batches, STEPS), "batch": preset.batch_size, "threads": threads.THREADS,
        "megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - images.nbytes / 1024) / 1024,
        **{n: sum(p.size for p in net.parameters()) for n, net in (("G", training.gan.G), ("D", training.gan.D))},
    }  # fmt: skip


def main():
    start_again()
    lines = ["| image | parameters G, D | ms a step | steps a second | memory without the data, MB |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for shape in SHAPES:
        r = measure(shape)
        sizes = f"{r['G'] / 1e6:.2f} M, {r['D'] / 1e6:.2f} M"
        size = " x ".join(map(str, shape))
        lines.append(f"| {size} | {sizes} | {1000 * r['step']:.1f} | {1 / r['step']:.0f} | {r['megabytes']:.0f} |")
    where = (
        f"Measured with the preset {DEFAULT}, batches of {r['batch']} and {r['threads']} "
        f"thread{'s' * (r['threads'] > 1)}. {describe()}."
    )
    text = "\n".join([*lines, "", f"{where} Written by `bench/sizes.py`.", ""])
    print(text)
    readme.write("sizes", text)


if __name__ == "__main__":
    shape = tuple(map(int, sys.argv[1:]))
    print(json.dumps(child(shape))) if shape else main()
