"""Time a training step on the CPU: tinygan with NumPy, tinygan with Numba, and PyTorch.

    python bench/step.py                     print the table
    python bench/step.py --profile dcgan     print the time of each primitive in tinygan's step
    python bench/step.py --write             also write the table to bench/results/step.md and the README, or a profile
                                             to bench/results/profile-PRESET.txt

The script needs the extras `bench` (PyTorch) and `fast` (Numba). Each side has its own process, and the sides take
turns. Figures are medians. On a shared machine, compare only the ratios.
"""

import argparse
import collections
import itertools
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
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from tinygan import backend, data  # noqa: E402
from tinygan.autograd import PRIMITIVES  # noqa: E402
from tinygan.backend.cpu import threads  # noqa: E402
from tinygan.gan import presets  # noqa: E402

TURN = 4  # steps that one side does in a row


def tinygan_step(preset, batch_size):
    """Return a function that does one training step."""
    chosen, dataset = presets.PRESETS[preset]._replace(batch_size=batch_size, ema=0.0), data.load()
    training = presets.build(chosen, dataset.images.shape[1:], 0, dataset.classes)
    batches = data.Batches(dataset, batch_size, 0, chosen.n_critic, chosen.conditional)
    batches.start_epoch(0)

    def step():
        if int(batches.position[0]) + batch_size * chosen.n_critic > batches.size:
            batches.start_epoch(0)
        training.step(batches)

    return step


def torch_step(preset, batch_size, channels_last):
    import torch
    from torch_gans import TorchGAN

    torch.set_num_threads(threads.THREADS)
    dataset = data.load()
    return TorchGAN(preset, dataset.images, batch_size, channels_last, labels=dataset.labels).step


def timed(step):
    """Return the seconds of each of TURN - 1 steps. The first step, in which the threads wake up, is not counted."""
    seconds = []
    for _ in range(TURN):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


class Side:
    """A process that does some steps for each line of its input.

    Each side has its own process, and only one of them computes at a time. In a single process, spinning threads of one
    library would slow down the threads of another.
    """

    def __init__(self, name, words, count):
        environment = {**os.environ, "OMP_NUM_THREADS": str(count), **SIDES[name]}
        pipe = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.process, self.seconds = subprocess.Popen([sys.executable, "-W", "ignore", *map(str, words)], **pipe), []

    def turn(self, request="go"):
        """Send a line. Return the seconds of the steps, which the process prints."""
        print(request, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def serve(name, preset, batch_size):
    """Run in the child process of a Side: do some steps for each line of input."""
    torch_side = name.startswith("PyTorch")
    step = torch_step(preset, batch_size, "last" in name) if torch_side else tinygan_step(preset, batch_size)
    for _ in sys.stdin:
        print(json.dumps(timed(step)), flush=True)


def measure(preset, batch_size, count, rounds):
    """Return a row of the table: quartiles in milliseconds, and PyTorch's median divided by tinygan's.

    The ratios use the faster of PyTorch's memory formats.
    """
    names = [name for name in SIDES if not (preset == "vanilla" and "last" in name)]  # vanilla has no convolutions
    sides = {name: Side(name, [__file__, "--side", name, preset, batch_size], count) for name in names}
    for side in sides.values():
        side.turn()  # imports and first calls are not counted
    for _ in range(rounds):
        for side in sides.values():
            side.seconds += side.turn()
    row = {name: [round(1000 * q, 1) for q in statistics.quantiles(side.seconds, n=4)] for name, side in sides.items()}
    for side in sides.values():
        side.close()
    fastest = min(quartiles[1] for name, quartiles in row.items() if name.startswith("PyTorch"))
    ratios = {name: round(fastest / row[name][1], 2) for name in SIDES if not name.startswith("PyTorch")}
    return {"preset": preset, "batch": batch_size, "threads": count, **row, "ratios": ratios}


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

    step = torch_step(preset, batch_size, False)
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


def table(rows):
    """Return the rows as Markdown. A ratio over 1 means that tinygan is faster."""
    heads = ["preset", "batch", "threads", *(f"{name}, ms" for name in SIDES), "PyTorch / NumPy", "PyTorch / Numba"]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for row in rows:
        cells = [f"{row[k][1]} ({row[k][0]}-{row[k][2]})" if k in row else "-" for k in SIDES]
        ratios = [f"**{ratio:.2f}**" for ratio in row["ratios"].values()]
        lines.append(f"| {' | '.join([row['preset'], str(row['batch']), str(row['threads']), *cells, *ratios])} |")
    return "\n".join(lines)


SIDES = {  # name: the environment of its process
    "NumPy": {backend.KERNELS: "numpy"},
    "Numba": {backend.KERNELS: "numba"},
    "PyTorch": {backend.KERNELS: "numpy"},  # Numba's OpenMP in the same process would slow PyTorch down
    "PyTorch, channels last": {backend.KERNELS: "numpy"},
}


def machine():
    import torch

    model = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), "")
    return (
        f"{platform.system()} on {model}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ["vanilla", "dcgan", "cgan", "wgan-gp"]
    parser.add_argument("--presets", nargs="+", choices=known, default=known, help=f"default: {' '.join(known)}")
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128, 512], help="default: 32 128 512")
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1], help="default: 2 1")
    parser.add_argument("--rounds", type=int, default=6, help=f"turns of {TURN} steps for each side (default: 6)")
    parser.add_argument("--profile", metavar="PRESET", help="print the time of each primitive, and nothing else")
    parser.add_argument("--side", nargs=3, metavar="WORD", help=argparse.SUPPRESS)  # the process of one side
    parser.add_argument("--torch-profile", metavar="PRESET", help=argparse.SUPPRESS)  # in a process without Numba
    parser.add_argument("--write", action="store_true", help="write the table, or the profile, to bench/results")
    args = parser.parse_args()
    backend.tune()
    if args.side:
        return serve(args.side[0], args.side[1], int(args.side[2]))
    if args.torch_profile:
        return print(torch_profile(args.torch_profile))
    if args.profile:
        words = [sys.executable, "-W", "ignore", __file__, "--torch-profile", args.profile]
        environment = {**os.environ, **SIDES["PyTorch"]}
        other = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
        text = f"{profile(args.profile)}\n\n{other.strip()}"
        if args.write:
            (ROOT / f"bench/results/profile-{args.profile}.txt").write_text(f"{text}\n\n{machine()}\n")
        return print(text)
    places = itertools.product(args.threads, args.presets, args.batches)
    rows = [measure(preset, batch, count, args.rounds) for count, preset, batch in tqdm(list(places))]
    text = f"{table(rows)}\n\n{machine()}. The times are medians, with quartiles in brackets.\n"
    print(text)
    if args.write:
        (ROOT / "bench/results/step.md").write_text(f"# A training step on the CPU (bench/step.py)\n\n{text}")
        (ROOT / "bench/results/step.json").write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
        readme.write("step", text)


if __name__ == "__main__":
    main()
