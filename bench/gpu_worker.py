"""Measure one thing on a GPU, and print it as a line of JSON. gpu.py and on_gpu.py run this in processes of its own.

    python bench/gpu_worker.py FUNCTION ARGUMENTS

FUNCTION is measure (one cell of the table of gpu.py), facts (the GPU, versions and rates), profile (the time of each
kernel) or check (steps for compute-sanitizer). ARGUMENTS is a list in JSON.

What is known early is printed at once, and again in the last line with the rest. So a process that is killed at its
limit leaves a result.
"""

import collections
import importlib.metadata
import json
import platform
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]
STARTED = time.perf_counter()
REPEATS = 5


def tinygan_step(preset, batch_size, tf32, captured):
    """Return a function that does one training step, and a function that waits for the device."""
    import worker

    from tinygan import backend

    backend.use("cuda")
    backend.tf32(tf32)
    return worker.tinygan_step(preset, batch_size, captured=captured), backend.xp.cuda.Device().synchronize


def torch_step(preset, batch_size, tf32, how):
    """Return the two functions of tinygan_step for PyTorch. how: "eager", "compiled" or "captured"."""
    import torch
    from torch_gans import TorchGAN, compile_parts

    from tinygan import data

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    dataset, channels_last = data.load(), preset != "vanilla"
    options = dict(capturable=how == "captured", labels=dataset.labels)
    gan = TorchGAN(preset, dataset.images, batch_size, channels_last, "cuda", **options)
    if how == "compiled":
        compile_parts(gan, preset, mode="reduce-overhead")
        return compiled_step(gan), torch.cuda.synchronize
    if how == "eager":
        return gan.step, torch.cuda.synchronize
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            gan.step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        gan.step()
    return graph.replay, torch.cuda.synchronize


def compiled_step(gan):
    """Return a step whose compiled parts belong together: the result of one part stays valid until the next step."""
    import torch

    def step():
        torch.compiler.cudagraph_mark_step_begin()
        gan.step()

    return step


SIDES = {
    "tinygan graph": lambda *what: tinygan_step(*what, captured=True),
    "torch graph": lambda *what: torch_step(*what, how="captured"),
    "PyTorch eager": lambda *what: torch_step(*what, how="eager"),
    "tinygan eager": lambda *what: tinygan_step(*what, captured=False),
    "torch.compile": lambda *what: torch_step(*what, how="compiled"),
}


def free_memory(side):
    """Return the free memory of the GPU, in bytes."""
    if side.startswith("tinygan"):
        import cupy

        return cupy.cuda.runtime.memGetInfo()[0]
    import torch

    return torch.cuda.mem_get_info()[0]


def measure(side, preset, batch_size, tf32, seconds, sizes):
    """Measure one cell of the table of gpu.py, first without the roofline. sizes: the arguments of `rates`."""
    free = free_memory(side)
    step, wait = SIDES[side](preset, batch_size, tf32)
    step()
    wait()
    first, started = time.perf_counter() - STARTED, time.perf_counter()
    for _ in range(3):  # tinygan captures its step in the third call
        step()
    wait()
    count = max(1, min(20, int(seconds / (time.perf_counter() - started))))
    for _ in range(count):
        step()
    wait()
    times = []
    while len(times) < REPEATS:
        started = time.perf_counter()
        for _ in range(count):
            step()
        wait()
        spent = time.perf_counter() - started
        if not times and spent < seconds / REPEATS / 2:  # too short: time more steps together
            count *= 2
            continue
        times.append(spent / count)
    used, second = free - free_memory(side), statistics.median(times)
    row = {
        "side": side, "preset": preset, "batch": batch_size, "tf32": tf32, "steps_per_second": 1 / second,
        "milliseconds": [1000 * t for t in times], "images_per_second": batch_size / second,
        "first_step_seconds": first, "memory_mb": used / 1e6,
    }  # fmt: skip
    print(json.dumps(row), flush=True)
    if side == "tinygan graph":
        print(json.dumps({**row, "roofline": roofline(preset, batch_size, tf32, *sizes) / second}), flush=True)


def profile(preset, batch_size, replays=20):
    """Print the time of each kernel in a replay of tinygan's step. PyTorch's profiler also sees its kernels.

    The sum of all kernels against the time of a replay shows how much of a replay is the start of kernels.
    """
    import torch
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    step, wait = tinygan_step(preset, batch_size, tf32=True, captured=True)
    for _ in range(5):
        step()
    wait()
    started = time.perf_counter()
    for _ in range(replays):
        step()
    wait()
    found = {"replay_us": 1e6 * (time.perf_counter() - started) / replays}
    print(json.dumps(found), flush=True)
    if not torch.cuda.is_available():
        sys.exit("the time of each kernel needs PyTorch for CUDA")
    with profiled(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(replays):
            step()
        wait()
    kernels = collections.defaultdict(lambda: [0, 0.0])
    for event in profiler.events():
        if event.device_type == DeviceType.CUDA:
            kernels[event.name][0] += 1 / replays
            kernels[event.name][1] += event.device_time / replays
    rows = sorted(([name[:80], n, time_] for name, (n, time_) in kernels.items()), key=lambda row: -row[2])
    total, spent = (sum(row[i] for row in rows) for i in (1, 2))
    found |= {"kernels": total, "kernels_us": spent, "by_kernel": rows}  # rows: name, calls a step, us a step
    print(json.dumps(found))


def rates(size, large):
    """Return the rates of a float32 product (size, size)^2 and of a copy of `large` numbers, and of a TF32 product."""
    from tinygan import backend

    backend.use("cuda")
    xp = backend.xp
    a, b = xp.ones((size, size), "float32"), xp.ones(large, "float32")
    other, wait = xp.empty_like(b), xp.cuda.Device().synchronize

    def rate(amount, do):
        do()
        wait()
        started = time.perf_counter()
        for _ in range(10):
            do()
        wait()
        return 10 * amount / (time.perf_counter() - started)

    found = {"copy": rate(2 * b.nbytes, lambda: other.__setitem__(..., b))}
    for name, on in (("float32", False), ("tf32", True)):
        backend.tf32(on)
        found[name] = rate(2 * size**3, lambda: backend.matmul(a, a))
    return found


def facts(size, large):
    """Print what is known of the GPU, the driver and the libraries. size, large: as for `rates`."""
    import cupy

    runtime = cupy.cuda.runtime
    properties, driver = runtime.getDeviceProperties(0), runtime.driverGetVersion()
    names = ["cupy-cuda12x", "cupy-cuda13x", "torch", "numpy", "pytest-xdist", "pytest-timeout"]
    installed = {dist.metadata["Name"]: dist.version for dist in importlib.metadata.distributions()}
    found = {
        "gpu": properties["name"].decode(), "capability": cupy.cuda.Device(0).compute_capability,
        "multiprocessors": properties["multiProcessorCount"], "memory_mb": runtime.memGetInfo()[1] / 1e6,
        "driver": f"CUDA {driver // 1000}.{driver % 1000 // 10}", "nvrtc": cupy.cuda.nvrtc.getVersion(),
        "python": platform.python_version(), "versions": {name: installed.get(name) for name in names},
    }  # fmt: skip
    print(json.dumps(found), flush=True)
    found["per_second"] = rates(size, large)
    print(json.dumps(found), flush=True)


def roofline(preset, batch_size, tf32, size, large):
    """Return the least possible seconds for a step on this GPU. size, large: as for `rates`."""
    from operations import flops

    from tinygan import backend
    from tinygan.autograd import PRIMITIVES

    step, _ = tinygan_step(preset, batch_size, tf32, captured=False)
    step()
    work, moved = [0], [0]  # operations and bytes

    def counted(name, forward):
        def call(*args, **kwargs):
            y = forward(*args, **kwargs)
            work[0] += int(flops(name, args, y))
            moved[0] += sum(a.nbytes for a in (*args, y) if hasattr(a, "nbytes"))
            return y

        return call

    for name, primitive in PRIMITIVES.items():
        primitive.forward = counted(name, primitive.forward)
    step()
    backend.xp.get_default_memory_pool().free_all_blocks()
    found = rates(size, large)
    return max(work[0] / found["tf32" if tf32 else "float32"], moved[0] / found["copy"])


def check(presets, batch_size):
    """Do two eager steps of each preset, each array in memory of its own, so that compute-sanitizer sees its bounds."""
    import cupy

    cupy.cuda.set_allocator(None)
    for preset in presets:
        step, wait = tinygan_step(preset, batch_size, tf32=True, captured=False)
        for _ in range(2):
            step()
        wait()
        print(f"{preset}: two steps done", flush=True)


if __name__ == "__main__":
    {"measure": measure, "facts": facts, "profile": profile, "check": check}[sys.argv[1]](*json.loads(sys.argv[2]))
