"""A training step on the CPU, tinygan beside PyTorch eager, in one process and in turn.

    python bench/step.py                     the table: vanilla and dcgan, batches 32, 128, 512 (--one-thread too)
    python bench/step.py --profile dcgan     where tinygan's step spends its time, by primitive
    python bench/step.py --write             and put the table into bench/results/step.md and the README (a profile
                                             into bench/results/profile-PRESET.txt)

Needs the extra `bench` (PyTorch). Figures are medians; on a shared machine look at the ratio.
"""

import argparse
import collections
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import readme

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from tinygan import backend, data  # noqa: E402
from tinygan.autograd import PRIMITIVES  # noqa: E402
from tinygan.backend.cpu import threads  # noqa: E402
from tinygan.gan import presets  # noqa: E402

TURN = 4  # steps in a row of one side; the first of them, in which its threads wake up, is not counted
PAUSE = 0.02  # seconds between the sides, in which the threads of the other one stop spinning


def tinygan_step(preset, batch_size):
    """A function that makes one training step."""
    training = presets.build(presets.PRESETS[preset]._replace(batch_size=batch_size, ema=0.0), (28, 28, 1), seed=0)
    batches = data.Batches(data.load(), batch_size, seed=0)
    batches.start_epoch(0)

    def step():
        if int(batches.position[0]) + batch_size > batches.size:
            batches.start_epoch(0)
        training.step(batches)

    return step


def torch_step(preset, batch_size, channels_last):
    import torch
    from torch_gans import TorchGAN

    torch.set_num_threads(threads.THREADS)
    return TorchGAN(preset, data.load().images, batch_size, channels_last).step


def in_turn(sides, rounds):
    """{name: seconds of its counted steps}, the sides taking turns."""
    seconds = {name: [] for name in sides}
    for step in sides.values():
        step()
    for _ in range(rounds):
        for name, step in sides.items():
            time.sleep(PAUSE)
            for i in range(TURN):
                started = time.perf_counter()
                step()
                if i:
                    seconds[name].append(time.perf_counter() - started)
    return seconds


def measure(preset, batch_size, rounds):
    """One row of the table: quartiles in milliseconds, and the ratio of medians to PyTorch's better format."""
    sides = {
        "tinygan": tinygan_step(preset, batch_size),
        "torch": torch_step(preset, batch_size, False),
        "torch channels last": torch_step(preset, batch_size, True),
    }
    if preset == "vanilla":
        del sides["torch channels last"]  # no images in it
    times = {name: [1000 * s for s in seconds] for name, seconds in in_turn(sides, rounds).items()}
    row = {name: [round(q, 1) for q in statistics.quantiles(ms, n=4)] for name, ms in times.items()}
    fastest = min(quartiles[1] for name, quartiles in row.items() if name != "tinygan")
    return {
        "preset": preset, "batch": batch_size, "threads": threads.THREADS, **row,
        "ratio": round(fastest / row["tinygan"][1], 2),
    }  # fmt: skip


def profile(preset, batch_size=128, steps=10):
    """Calls, time, bytes and GFLOP/s of each primitive in a step, and what is left; as text."""
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

    def timed():
        started, used = time.perf_counter(), time.process_time()
        for _ in range(steps):
            step()
        return (time.perf_counter() - started) / steps, (time.process_time() - used) / steps

    step = tinygan_step(preset, batch_size)
    step()
    whole, used = timed()
    for name, primitive in PRIMITIVES.items():
        primitive.forward = watched(name, primitive.forward)
    total, _ = timed()
    lines = [
        f"{preset}, batch {batch_size}, {threads.THREADS} threads: {1000 * whole:.1f} ms a step, "
        f"{1000 * used:.1f} ms of the cores' time; one operation after the other {1000 * total:.1f} ms:",
        f"{'primitive':18}{'calls':>7}{'ms':>9}{'MB':>9}{'GFLOP/s':>9}",
    ]
    for name, (n, seconds, size, work) in sorted(calls.items(), key=lambda item: -item[1][1]):
        speed = f"{work / seconds / 1e9:9.0f}" if work else ""
        lines.append(f"{name:18}{n / steps:7.0f}{1000 * seconds / steps:9.2f}{size / steps / 1e6:9.1f}{speed}")
    rest = total - sum(row[1] for row in calls.values()) / steps
    lines.append(f"{'all the rest':18}{'':7}{1000 * rest:9.2f}        data, Adam, statistics, the walk itself")
    return "\n".join(lines)


def torch_profile(preset, batch_size=128, steps=10, most=12):
    """The same of PyTorch's step, in its default memory format: the operators that take most."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    step = torch_step(preset, batch_size, False)
    step()
    with profiled(activities=[ProfilerActivity.CPU]) as result:
        for _ in range(steps):
            step()
    rows = sorted(result.key_averages(), key=lambda row: -row.self_cpu_time_total)
    total = sum(row.self_cpu_time_total for row in rows) / steps / 1000
    lines = [f"PyTorch, the same: {total:.1f} ms a step", f"{'operator':42}{'calls':>7}{'ms':>9}"]
    for row in rows[:most]:
        lines.append(f"{row.key[:40]:42}{row.count / steps:7.0f}{row.self_cpu_time_total / steps / 1000:9.2f}")
    return "\n".join(lines)


def flops(name, args, y):
    """Of the products only: two for each multiplication and addition."""
    if name == "matmul":
        return 2 * y.size * args[0].shape[1]
    if name == "conv2d":
        return 2 * y.size * np.prod(args[1].shape[:3])
    if name == "conv_transpose2d":
        return 2 * args[0].size * np.prod(args[1].shape[:3])
    return 2 * args[1].size * np.prod(y.shape[:3]) if name == "conv2d_weight_grad" else 0


def table(rows):
    """The rows as Markdown."""
    lines = [
        "| preset | batch | threads | tinygan, ms | PyTorch, ms | channels last, ms | PyTorch / tinygan |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = [f"{row[k][1]} ({row[k][0]}-{row[k][2]})" if k in row else "-" for k in list(SIDES)]
        words = [row["preset"], str(row["batch"]), str(row["threads"]), *cells, f"**{row['ratio']}**"]
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines)


SIDES = ("tinygan", "torch", "torch channels last")


def machine():
    import torch

    model = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), "")
    return (
        f"{platform.system()} on {model}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}"
    )


def main():
    backend.tune()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["vanilla", "dcgan"], help="default: vanilla dcgan")
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128, 512], help="default: 32 128 512")
    parser.add_argument("--rounds", type=int, default=6, help=f"turns of {TURN} steps for each side (default: 6)")
    parser.add_argument("--profile", metavar="PRESET", help="the time of each primitive, and nothing else")
    parser.add_argument("--one-thread", action="store_true", help="measure with one thread too")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, for this threads' share only")
    parser.add_argument("--write", action="store_true", help="write the table, or the profile, to bench/results")
    args = parser.parse_args()
    if args.profile:
        text = f"{profile(args.profile)}\n\n{torch_profile(args.profile)}"
        if args.write:
            (ROOT / f"bench/results/profile-{args.profile}.txt").write_text(f"{text}\n\n{machine()}\n")
        return print(text)
    rows = [measure(p, b, args.rounds) for p in args.presets for b in args.batches]
    if args.one_thread:
        words = ["--json", "--rounds", str(args.rounds), "--presets", *args.presets]
        command = [sys.executable, __file__, *words, "--batches", *map(str, args.batches)]
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=True)
        rows += json.loads(done.stdout)
    if args.json:
        return print(json.dumps(rows))
    text = f"{table(rows)}\n\n{machine()}; medians, quartiles in brackets\n"
    print(text)
    if args.write:
        (ROOT / "bench/results/step.md").write_text(f"# A training step on the CPU (bench/step.py)\n\n{text}")
        (ROOT / "bench/results/step.json").write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
        readme.write("step", text)


if __name__ == "__main__":
    main()
