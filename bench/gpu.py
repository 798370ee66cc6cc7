"""Time a training step on a GPU, with tinygan and with PyTorch: eager, and as a captured graph.

    python bench/gpu.py                      print the table: vanilla, dcgan, wgan-gp; batches 64, 128, 512
    python bench/gpu.py --presets dcgan --batches 128 --no-tf32
    python bench/gpu.py --write              also write bench/results/gpu.md and gpu.json

PyTorch is also measured with torch.compile. Each row of the table is measured in its own process. The memory of a row
is the drop in the free memory of the GPU. The time to the first step includes imports and compilation. Steps are
without EMA. tinygan's steps also compute the metrics of the log.

PyTorch for CUDA is needed: pip install -e '.[cuda13,bench]'. The extras cuda12 and bench exclude each other, because
they bring CUDA toolkits of different versions.

The column "of roofline" is the least possible time of a step divided by its measured time. The least possible time is
the larger of two times: operations divided by the rate of a large matrix product, and bytes divided by the rate of a
large copy. Both rates are measured in the same process. The bytes are those of all arguments and results of tinygan's
primitives.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]
STARTED = time.perf_counter()
REPEATS = 5


def tinygan_step(preset, batch_size, tf32, captured):
    """Return a function that does one training step, and a function that waits for the device."""
    from tinygan import backend, data
    from tinygan.gan import presets

    backend.use("cuda")
    backend.tf32(tf32)
    recipe = presets.PRESETS[preset]._replace(batch_size=batch_size, ema=0.0)
    dataset = data.load()
    training = presets.build(recipe, (28, 28, 1), seed=0, classes=dataset.classes)
    batches = data.Batches(dataset, batch_size, 0, recipe.n_critic, recipe.conditional)
    batches.start_epoch(0)
    one, count = (lambda: training.step(batches)), 0
    one = backend.capture(one) if captured else one

    def step():
        nonlocal count
        count += 1
        if count % batches.steps_per_epoch == 0:
            batches.start_epoch(count // batches.steps_per_epoch)
        one()

    return step, backend.xp.cuda.Device().synchronize


def torch_step(preset, batch_size, tf32, how):
    """Return the two functions of tinygan_step for PyTorch. how: "eager", "compiled" or "captured"."""
    import torch
    from torch_gans import TorchGAN, compile_parts

    from tinygan import data

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    channels_last = preset != "vanilla"
    gan = TorchGAN(preset, data.load().images, batch_size, channels_last, "cuda", capturable=how == "captured")
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
    "tinygan eager": lambda *what: tinygan_step(*what, captured=False),
    "PyTorch eager": lambda *what: torch_step(*what, how="eager"),
    "torch.compile": lambda *what: torch_step(*what, how="compiled"),
    "torch graph": lambda *what: torch_step(*what, how="captured"),
}


def measure(side, preset, batch_size, tf32, seconds):
    """Return one row of the table. `cell` calls this in a new process."""
    import torch

    free = torch.cuda.mem_get_info()[0]
    step, wait = SIDES[side](preset, batch_size, tf32)
    step()
    wait()
    first = time.perf_counter() - STARTED
    for _ in range(20):
        step()
    wait()
    times, count = [], 10
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
    used = free - torch.cuda.mem_get_info()[0]
    second = statistics.median(times)
    row = {
        "side": side, "preset": preset, "batch": batch_size, "tf32": tf32, "steps_per_second": 1 / second,
        "milliseconds": [1000 * t for t in times], "images_per_second": batch_size / second,
        "first_step_seconds": first, "memory_mb": used / 1e6, "kernels": kernels(step, wait),
    }  # fmt: skip
    if side == "tinygan graph":
        row["roofline"] = roofline(preset, batch_size, tf32) / second
    return row


def kernels(step, wait, steps=5):
    """Return the number of kernels in a step. The profiler also finds the kernels within a graph."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(steps):
            step()
        wait()
    on_device = [e.name for e in profiler.events() if e.device_type == DeviceType.CUDA]
    return sum(not name.startswith(("Memcpy", "Memset")) for name in on_device) / steps


def roofline(preset, batch_size, tf32):
    """Return the least possible seconds for a step on this GPU."""
    from step import flops

    from tinygan import backend
    from tinygan.autograd import PRIMITIVES

    step, wait = tinygan_step(preset, batch_size, tf32, captured=False)
    step()
    work, size = [0], [0]

    def counted(name, forward):
        def call(*args, **kwargs):
            y = forward(*args, **kwargs)
            work[0] += int(flops(name, args, y))
            size[0] += sum(a.nbytes for a in (*args, y) if hasattr(a, "nbytes"))
            return y

        return call

    for name, primitive in PRIMITIVES.items():
        primitive.forward = counted(name, primitive.forward)
    step()

    xp = backend.xp
    a, large = xp.ones((8192, 8192), "float32"), xp.ones(1 << 28, "float32")
    other = xp.empty_like(large)

    def rate(amount, do):
        do()
        wait()
        started = time.perf_counter()
        for _ in range(10):
            do()
        wait()
        return 10 * amount / (time.perf_counter() - started)

    products = rate(2 * 8192**3, lambda: backend.matmul(a, a))
    copies = rate(2 * large.nbytes, lambda: other.__setitem__(..., large))
    return max(work[0] / products, size[0] / copies)


def cell(*what):
    """Run `measure` in a new process. If the process fails, return a row with the last line of its stderr."""
    command = [sys.executable, __file__, "--cell", json.dumps(what)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        message = (done.stderr.strip().splitlines() or ["no error output"])[-1]
        return {"side": what[0], "preset": what[1], "batch": what[2], "tf32": what[3], "failed": message}
    return json.loads(done.stdout.splitlines()[-1])


def table(rows):
    """Return the rows as Markdown."""
    lines = [
        "| preset | batch | side | steps/s | images/s | kernels a step | memory, MB | first step, s | of roofline |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        words = [row["preset"], str(row["batch"]), row["side"]]
        if "failed" in row:
            words += [f"failed: {row['failed'][:80]}", *["-"] * 5]
        else:
            words += [f"{row['steps_per_second']:.0f}", f"{row['images_per_second']:,.0f}", f"{row['kernels']:.0f}"]
            words += [f"{row['memory_mb']:.0f}", f"{row['first_step_seconds']:.1f}"]
            words += [f"{row['roofline']:.0%}" if "roofline" in row else "-"]
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines)


def machine(tf32):
    import cupy
    import torch

    driver = cupy.cuda.runtime.driverGetVersion()
    return (
        f"{torch.cuda.get_device_name()}, driver for CUDA {driver // 1000}.{driver % 1000 // 10}, "
        f"Python {platform.python_version()}, CuPy {cupy.__version__}, PyTorch {torch.__version__}; "
        f"float32{' with TF32 products' if tf32 else ''}; medians of {REPEATS}"
    )


def missing():
    """Return a sentence that says why nothing can be measured here, or None."""
    try:
        import cupy
        import torch

        if torch.cuda.is_available() and cupy.cuda.runtime.getDeviceCount():
            return None
        return "bench/gpu.py needs an NVIDIA GPU that CuPy and PyTorch can use."
    except Exception as error:
        return f"bench/gpu.py needs an NVIDIA GPU with CuPy and PyTorch: {error}."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["vanilla", "dcgan", "wgan-gp"])
    parser.add_argument("--batches", nargs="+", type=int, help="default: 64 128 512, and 2048 for dcgan")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--seconds", type=float, default=3.0, help="approximate seconds for each row (default: 3)")
    parser.add_argument("--no-tf32", action="store_true", help="exact float32 products, for tinygan and PyTorch")
    parser.add_argument("--write", action="store_true", help="write bench/results/gpu.md and gpu.json")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.cell:
        return print(json.dumps(measure(*json.loads(args.cell))))
    if message := missing():
        sys.exit(message)
    tf32, rows = not args.no_tf32, []
    for preset in args.presets:
        for batch_size in args.batches or [64, 128, 512] + [2048] * (preset == "dcgan"):
            for side in args.sides:
                rows.append(cell(side, preset, batch_size, tf32, args.seconds))
                print(json.dumps(rows[-1]), flush=True)
    text = f"{table(rows)}\n\n{machine(tf32)}\n"
    print(f"\n{text}")
    if args.write:
        (ROOT / "bench/results/gpu.md").write_text(f"# A training step on a GPU (bench/gpu.py)\n\n{text}")
        (ROOT / "bench/results/gpu.json").write_text(json.dumps({"machine": machine(tf32), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
