"""Time a step of dcgan on one and two processes, with tinygan and PyTorch. Estimate the time of sums over many GPUs.

    python bench/scale_out.py                  measure, and write bench/results/scale_out.json and scale_out.md
    python bench/scale_out.py --only PyTorch   measure only PyTorch again
    python bench/scale_out.py --model          only write scale_out.md again, with a new estimate

Two processes have one thread each. One process has one or two threads. PyTorch uses DistributedDataParallel with gloo.
On the CPU, PyTorch's BatchNorm uses only the images of one process, because SyncBatchNorm needs CUDA. So PyTorch's
steps exchange less than tinygan's, and two processes of PyTorch do not compute the same as one. Each side has its own
processes. The script needs the extras `mpi` and `bench`.
"""

import argparse
import functools
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from turns import environment, start_again

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]
RESULTS = ROOT / "bench/results/scale_out.json"
STEPS = {128: 30, 512: 10, 2048: 4}  # batch: number of timed steps
SIDES = {  # side: (processes, threads of each)
    "tinygan, 1 process, 1 thread": (1, 1), "tinygan, 1 process, 2 threads": (1, 2), "tinygan, 2 processes": (2, 1),
    "PyTorch, 1 process, 2 threads": (1, 2), "PyTorch, 2 processes (DDP, gloo)": (2, 1),
}  # fmt: skip


def timed(step, count, before=2):
    """Return the median milliseconds of `count` steps. The first `before` steps are not counted."""
    seconds = []
    for _ in range(count + before):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return round(1000 * statistics.median(seconds[before:]), 4)


def tinygan_side(threads):
    """Print the times of a step as JSON. For several processes, also print the exchanges of a step and their times."""
    from tinygan import backend, data
    from tinygan.backend import distributed
    from tinygan.gan import presets

    distributed.start()
    backend.use("cpu")
    backend.tune(threads)
    found, dataset = {"ms": {}, "exchanges": {}}, data.load()
    for size, count in STEPS.items():
        preset = presets.PRESETS["dcgan"]._replace(batch_size=size, ema=0.0)
        training, batches = presets.build(preset, (28, 28, 1), seed=0), data.Batches(dataset, size, seed=0)
        batches.start_epoch(0)
        step = functools.partial(training.step, batches)
        found["ms"][size] = timed(step, count)
        if distributed.size > 1:
            found["exchanges"][size] = exchanges(step)
    if distributed.size > 1:
        found["sums"] = bare_sums()
    if distributed.rank == 0:
        print(json.dumps(found))
    distributed.finish()


def exchanges(step):
    """Return [(bytes, microseconds), ...] of the sums in one step. Times include waiting for the other process."""
    from tinygan.backend import distributed

    add_up, found = distributed.add_up, []

    def recorded(array):
        started = time.perf_counter()
        add_up(array)
        found.append((array.nbytes, round(1e6 * (time.perf_counter() - started), 1)))
        return array

    distributed.add_up = recorded
    step()
    distributed.add_up = add_up
    return found


def bare_sums():
    """Return {bytes: median microseconds of a sum over all processes}."""
    import numpy as np

    from tinygan.backend import distributed

    arrays = [np.ones(2**i, "float32") for i in range(4, 23, 2)]
    return {a.nbytes: 1000 * timed(lambda a=a: distributed.add_up(a), 30) for a in arrays}


def torch_side(threads, processes, rank, meeting):
    import torch
    from torch import distributed as torch_distributed
    from torch_gans import TorchGAN

    from tinygan import data

    torch.set_num_threads(threads)
    images, found = data.load().images, {"ms": {}}
    if processes > 1:
        torch_distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=processes)
    for size, count in STEPS.items():
        gan = TorchGAN("dcgan", images, size // processes)
        found["ms"][size] = timed(parallel_step(gan) if processes > 1 else gan.step, count)
    if rank == 0:
        print(json.dumps(found))


def parallel_step(gan):
    """Return a step of a TorchGAN in which only the network that learns exchanges gradients."""
    from torch.nn.parallel import DistributedDataParallel

    G, D = gan.G, gan.D
    wrapped_G, wrapped_D = (DistributedDataParallel(net, forward_sync_buffers=False) for net in (G, D))

    def step():
        gan.G, gan.D = wrapped_G, wrapped_D
        real, fake = gan.batch(), gan.generate(gan.noise())
        gan.D_optimizer.zero_grad()
        gan.discriminator_loss(real, fake.detach()).backward()
        gan.D_optimizer.step()
        gan.D = D.requires_grad_(False)
        gan.G_optimizer.zero_grad()
        gan.generator_loss(fake).backward()
        gan.G_optimizer.step()
        D.requires_grad_(True)

    return step


def measure(side):
    """Run one side in its own processes."""
    processes, threads = SIDES[side]
    words = [sys.executable, __file__, "--side", side]
    pipe = dict(stdout=subprocess.PIPE, text=True, env=environment(threads))
    if side.startswith("tinygan"):
        mpiexec = [str(Path(sys.executable).with_name("mpiexec")), "-n", str(processes)] if processes > 1 else []
        return json.loads(subprocess.run([*mpiexec, *words], check=True, **pipe).stdout)
    with tempfile.TemporaryDirectory() as folder:
        meeting = ["--meeting", f"file://{folder}/meeting"]
        started = [subprocess.Popen([*words, *meeting, "--rank", str(i)], **pipe) for i in range(processes)]
        printed = [process.communicate()[0] for process in started]
    return json.loads(printed[0])


# Assumptions for the estimate, about machines with 8 H100 GPUs. None of them was measured.
LAUNCH = 0.18e-3  # seconds of a captured step of dcgan with a very small batch: 89 nodes, 2 microseconds each
FLOP = 38e6  # for each image in a step of dcgan: 4.8 GFLOP at batch 128
RATE = 10e12  # FLOP a second in matrix products of this size
WITHIN, ACROSS = (10e-6, 300e9), (25e-6, 40e9)  # (latency in seconds, bytes a second) of NVLink and of a network


def sum_time(size, gpus):
    """Return the seconds for a sum of `size` bytes: a ring within a machine of 8 GPUs, then a tree over machines."""
    inside, machines = min(gpus, 8), math.ceil(gpus / 8)
    time = WITHIN[0] + 2 * (inside - 1) / inside * size / WITHIN[1]
    if machines > 1:
        time += ACROSS[0] * math.log2(machines) + 2 * (machines - 1) / machines * size / ACROSS[1]
    return time


def model(sizes):
    """Return rows (GPUs, seconds of exchange in a step, images on each GPU if the exchange takes half of the step)."""
    rows = []
    for gpus in (8, 16, 32, 64, 128, 256, 512, 1024):
        exchange = sum(sum_time(size, gpus) for size in sizes)
        images = max(0.0, (exchange - LAUNCH) * RATE / FLOP)
        rows.append((gpus, exchange, math.ceil(images)))
    return rows


def tables(found):
    """Return the measurements and the estimate as Markdown."""
    sides, batches = found["sides"], list(STEPS)
    lines = [f"A step of dcgan, ms. {found['machine']}", ""]
    lines += ["| batch | " + " | ".join(sides) + " |", "| --- " * (len(sides) + 1) + "|"]
    for batch in batches:
        lines.append(f"| {batch} | " + " | ".join(f"{side['ms'][str(batch)]:.1f}" for side in sides.values()) + " |")
    two = sides["tinygan, 2 processes"]
    if missing := [side for side in SIDES if side not in sides]:
        lines += ["", f"Not measured on an undisturbed machine, and left out: {'; '.join(missing)}."]
    lines += ["", "The sums that a step on two processes exchanges. Times include waiting for the other process.", ""]
    lines += ["| batch | sums | bytes | ms | share of the step |", "| --- | --- | --- | --- | --- |"]
    for batch in batches:
        sums = two["exchanges"][str(batch)]
        ms = sum(us for _, us in sums) / 1000
        share = ms / two["ms"][str(batch)]
        lines.append(f"| {batch} | {len(sums)} | {sum(size for size, _ in sums):,} | {ms:.1f} | {share:.0%} |")
    lines += [
        "",
        "A single sum that both processes begin at the same time:",
        "",
        "| bytes | microseconds |",
        "| --- | --- |",
    ]
    lines += [f"| {int(size):,} | {us:.0f} |" for size, us in two["sums"].items()]
    sizes = [size for size, _ in two["exchanges"]["128"]]
    lines += [
        "", "## An estimate for many GPUs", "",
        "This is an estimate, not a measurement. A step takes the time of its kernels plus the time of its sums.",
        f"A step has {len(sizes)} sums with {sum(sizes):,} bytes, as counted above. The assumptions are:", "",
        f"- the nodes of the graph take {LAUNCH * 1e3:.2f} ms with a very small batch;",
        f"- an image takes {FLOP / 1e6:.0f} MFLOP, at {RATE / 1e12:.0f} TFLOP/s;",
        f"- a sum within a machine of 8 GPUs has a latency of {WITHIN[0] * 1e6:.0f} microseconds and "
        f"{WITHIN[1] / 1e9:.0f} GB/s;",
        f"- over the network it has {ACROSS[0] * 1e6:.0f} microseconds for each doubling of the machines and "
        f"{ACROSS[1] / 1e9:.0f} GB/s.", "",
        "| GPUs | exchange, ms | images on each GPU if the exchange takes half of the step | whole batch |",
        "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for gpus, exchange, images in model(sizes):
        half = (f"{images:,}", f"{images * gpus:,}") if images else ("less than half at every batch", "-")
        lines.append(f"| {gpus} | {exchange * 1e3:.2f} | {half[0]} | {half[1]} |")
    lines += [
        "", "The sums are many and small, so the latency decides, not the bandwidth. BatchNorm needs most of the sums.",
        "The presets were never tried with batches that are large enough for hundreds of GPUs.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="store_true", help="do not measure")
    parser.add_argument("--only", default="", help="measure only the sides with this in their names")
    for name in ("--side", "--meeting", "--rank"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        processes, threads = SIDES[args.side]
        if args.side.startswith("tinygan"):
            return tinygan_side(threads)
        return torch_side(threads, processes, int(args.rank), args.meeting)
    if not args.model:
        start_again()
        from machine import describe

        before = json.loads(RESULTS.read_text())["sides"] if args.only else {}
        measured = {side: measure(side) for side in SIDES if args.only in side}
        sides = {side: {**before, **measured}[side] for side in SIDES if side in {**before, **measured}}
        found = {"machine": describe(), "sides": sides}
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    text = tables(json.loads(RESULTS.read_text()))
    RESULTS.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
