"""The time of each operation in a training step (python bench/step.py --profile PRESET)."""

import collections
import time

import numpy as np
from worker import tinygan_step, torch_step

from tinygan import backend
from tinygan.autograd import PRIMITIVES
from tinygan.backend.cpu import threads


def profile(preset, batch_size=128, steps=10):
    """Return the calls, time, bytes and GFLOP/s of each primitive in a step as text."""
    calls = collections.defaultdict(lambda: [0, 0.0, 0, 0])

    def watched(name, forward):
        def call(*args, **kwargs):
            started = time.perf_counter()
            y = forward(*args, **kwargs)
            row = calls[name]
            row[0] += 1
            row[1] += time.perf_counter() - started
            arrays = [a for a in (*args, y) if hasattr(a, "nbytes")]
            row[2] += sum(a.nbytes for a in arrays)
            row[3] += flops(name, args, y)
            return y

        return call

    def mean_times():
        started, used = time.perf_counter(), time.process_time()
        for _ in range(steps):
            step()
        return (time.perf_counter() - started) / steps, (time.process_time() - used) / steps

    step = tinygan_step(preset, batch_size)
    step()
    whole, used = mean_times()
    for name, primitive in PRIMITIVES.items():
        primitive.forward = watched(name, primitive.forward)
    total, _ = mean_times()
    lines = [
        f"{preset}, batch {batch_size}, {backend.kernels()}, {threads.THREADS} threads: {1000 * whole:.1f} ms a step, "
        f"{1000 * used:.1f} ms of CPU time; {1000 * total:.1f} ms while operations are timed:",
        f"{'primitive':18}{'calls':>7}{'ms':>9}{'MB':>9}{'GFLOP/s':>9}",
    ]
    for name, (n, seconds, size, work) in sorted(calls.items(), key=lambda item: -item[1][1]):
        speed = f"{work / seconds / 1e9:9.0f}" if work else ""
        lines.append(f"{name:18}{n / steps:7.0f}{1000 * seconds / steps:9.2f}{size / steps / 1e6:9.1f}{speed}")
    rest = total - sum(row[1] for row in calls.values()) / steps
    lines.append(f"{'the rest':18}{'':7}{1000 * rest:9.2f}        data, Adam, statistics, the backward pass")
    return "\n".join(lines)


def torch_profile(preset, batch_size=128, steps=10, most=12):
    """Return the time of PyTorch's slowest operators in a step, as text. The memory format is PyTorch's default."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    step = torch_step(preset, batch_size)
    step()
    with profiled(activities=[ProfilerActivity.CPU]) as result:
        for _ in range(steps):
            step()
    rows = sorted(result.key_averages(), key=lambda row: -row.self_cpu_time_total)
    total = sum(row.self_cpu_time_total for row in rows) / steps / 1000
    lines = [f"PyTorch: {total:.1f} ms a step", f"{'operator':42}{'calls':>7}{'ms':>9}"]
    for row in rows[:most]:
        lines.append(f"{row.key[:40]:42}{row.count / steps:7.0f}{row.self_cpu_time_total / steps / 1000:9.2f}")
    return "\n".join(lines)


def flops(name, args, y):
    """Return the multiplications and additions of a matrix product or convolution; 0 for other primitives."""
    if name == "matmul":
        return 2 * y.size * args[0].shape[1]
    if name == "conv2d":
        return 2 * y.size * np.prod(args[1].shape[:3])
    if name == "conv_transpose2d":
        return 2 * args[0].size * np.prod(args[1].shape[:3])
    return 2 * args[1].size * np.prod(y.shape[:3]) if name == "conv2d_weight_grad" else 0
