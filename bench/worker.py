"""Do training steps for one side of a comparison, in a process of its own (turns.py starts it).

    python bench/worker.py ROOT SIDE PRESET BATCH        ROOT: the checkout whose tinygan is measured

The first line of output describes the libraries. Then, for each line of input with a number of steps, the process does
one step that is not counted, in which its threads wake up, and then this number of steps. It prints the mean seconds
of a step, and its processor time on all threads. For the side "rates" it prints the rates of a matrix
product and of a copy instead, which say how fast the machine is at the moment.
"""

import ctypes
import functools
import importlib.metadata
import itertools
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np


def tinygan_step(preset, batch_size, as_trained=False, captured=False):
    """Return a function that does one training step, without the average of G's weights that PyTorch's side has not.

    captured: by backend.capture. as_trained: captured, with this average, and with the metrics of every few steps, as
    train.py does it.
    """
    from tinygan import backend, data
    from tinygan.gan import presets

    chosen, dataset = presets.PRESETS[preset]._replace(batch_size=batch_size), data.load()
    chosen = chosen if as_trained else chosen._replace(ema=0.0)
    training = presets.build(chosen, dataset.images.shape[1:], 0, dataset.classes)
    batches = data.Batches(dataset, batch_size, 0, chosen.n_critic, chosen.conditional)
    one_step, numbers = functools.partial(training.step, batches), itertools.count()
    if captured or as_trained:
        one_step = backend.capture(one_step)

    def step():
        number = next(numbers)
        if number % batches.steps_per_epoch == 0:
            batches.start_epoch(number // batches.steps_per_epoch)
        one_step()
        if as_trained and number % training.HISTORY == 0:
            backend.to_host(training.report())

    return step


def torch_step(preset, batch_size, channels_last=False, compiled=False):
    import torch
    from torch_gans import TorchGAN, compile_parts

    from tinygan import data
    from tinygan.backend.cpu import threads

    torch.set_num_threads(threads.THREADS)
    dataset = data.load()
    gan = TorchGAN(preset, dataset.images, batch_size, channels_last, labels=dataset.labels)
    if compiled:
        compile_parts(gan, preset)
    return gan.step


STEPS = {  # side: function of preset and batch size that returns the step
    "tinygan": tinygan_step,
    "train.py": functools.partial(tinygan_step, as_trained=True),
    "PyTorch": torch_step,
    "PyTorch, channels last": functools.partial(torch_step, channels_last=True),
    "torch.compile": functools.partial(torch_step, compiled=True),
}


def timed(step, count):
    """Return the mean seconds and the mean processor time of `count` steps. One more step before is not counted."""
    step()
    started, used = time.perf_counter(), time.process_time()
    for _ in range(count):
        step()
    return {"wall": (time.perf_counter() - started) / count, "processor": (time.process_time() - used) / count}


def rates(repeats=9):
    """Return the median rates of a float32 product (1024, 1024)^2 and of a copy of 64 MiB."""
    a, large = np.ones((1024, 1024), "float32"), np.ones(1 << 24, "float32")
    product, copied = np.empty_like(a), np.empty_like(large)

    def seconds(do):
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            do()
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    flops, moved = 2 * len(a) ** 3, 2 * large.nbytes
    return {
        "product, GFLOP/s": flops / seconds(lambda: np.matmul(a, a, out=product)) / 1e9,
        "copy, GB/s": moved / seconds(lambda: np.copyto(copied, large)) / 1e9,
    }


def openblas():
    """Return which kernels NumPy's OpenBLAS runs and on how many threads, such as "SkylakeX on 1"; else "unknown"."""
    for path in Path(np.__file__).parent.parent.glob("numpy.libs/*openblas*"):
        library = ctypes.CDLL(str(path))  # NumPy has loaded it already: this returns the same library
        for prefix, suffix in (("scipy_openblas", "64_"), ("scipy_openblas", ""), ("openblas", "")):
            if hasattr(library, f"{prefix}_get_corename{suffix}"):
                name = getattr(library, f"{prefix}_get_corename{suffix}")
                name.restype = ctypes.c_char_p
                return f"{name().decode()} on {getattr(library, f'{prefix}_get_num_threads{suffix}')()}"
    return "unknown"


def about(*packages):
    """Return the versions of the packages that are installed, and what OpenBLAS runs."""
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**versions, "OpenBLAS": openblas()}


def main(root, side, preset, batch_size):
    sys.path[:0] = [root, str(Path(__file__).parent)]
    if side == "rates":
        answer = lambda _: rates()
    else:
        from tinygan import backend

        backend.tune()
        step = STEPS[side](preset, int(batch_size))
        answer = lambda line: timed(step, int(line))
    print(json.dumps(about("numpy", "numba", "torch")), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
