"""Time a training step on a GPU, with tinygan and with PyTorch: eager, and as a captured graph.

    python bench/gpu.py                      print the table, the default preset first
    python bench/gpu.py --presets dcgan --batches 128 --no-tf32
    python bench/gpu.py --write              also write bench/results/gpu.md and gpu.json

Each cell, which is one side for one preset and batch, is measured in its own process with a limit, and printed at once.
The memory of a cell is the drop in the free memory of the GPU. The time to the first step includes imports and
compilation. Steps are without the average of G's weights. tinygan's steps also compute the metrics of the log.

PyTorch's sides need PyTorch for CUDA: pip install -e '.[cuda13,bench]'. The extras cuda12 and bench exclude each other,
because they bring CUDA toolkits of different versions.

The column "of roofline" is the least possible time of a step divided by its measured time. The least possible time is
the larger of two times: operations divided by the rate of a large matrix product, and bytes divided by the rate of a
large copy. Both rates are measured in the same process. The bytes are those of all arguments and results of tinygan's
primitives.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

from limits import call

ROOT = Path(__file__).parent.parent
SIZES = 8192, 1 << 28  # of the matrices of a large product, and of a large copy
WORKER = Path(__file__).with_name("gpu_worker.py")
PLACES = [("cgan", 32), ("cgan", 128), ("cgan", 512), ("dcgan", 128), ("wgan-gp", 64)]  # the default preset first
# side: seconds of a cell, at most. The most important side first, in case the time is short
SIDES = {"tinygan graph": 25, "torch graph": 25, "PyTorch eager": 25, "tinygan eager": 25, "torch.compile": 90}


def cell(side, preset, batch_size, tf32, seconds, sizes, limit, environment=None, log=None):
    """Run `measure` of gpu_worker.py in a new process. Returns a row; "failed" in it has the last line of an error."""
    what = json.dumps([side, preset, batch_size, tf32, seconds, sizes])
    done = call([sys.executable, WORKER, "measure", what], limit, environment, log)
    return {"side": side, "preset": preset, "batch": batch_size, "tf32": tf32, **done.result()}


def table(rows):
    """Return the rows as Markdown."""
    lines = [
        "| preset | batch | side | ms a step | steps/s | images/s | memory, MB | first step, s | of roofline |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        words = [row["preset"], str(row["batch"]), row["side"]]
        if "milliseconds" not in row:
            words += [f"failed: {row['failed'][:80]}", *["-"] * 5]
        else:
            words += [f"{statistics.median(row['milliseconds']):.3f}", f"{row['steps_per_second']:.0f}"]
            words += [f"{row['images_per_second']:,.0f}", f"{row['memory_mb']:.0f}"]
            words += [f"{row['first_step_seconds']:.1f}", f"{row['roofline']:.0%}" if "roofline" in row else "-"]
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines)


def describe(found, tf32):
    """Return the results of `facts` as text."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items() if version)
    rates = found["per_second"]
    return (
        f"{found['gpu']}, driver for {found['driver']}, Python {found['python']}, {versions}; "
        f"float32{' with TF32 products' if tf32 else ''}; a large copy {rates['copy'] / 1e9:.0f} GB/s, a large product "
        f"{rates['float32'] / 1e12:.1f} TFLOP/s in float32, {rates['tf32'] / 1e12:.1f} in TF32"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ", ".join(f"{preset} {batch_size}" for preset, batch_size in PLACES)
    parser.add_argument("--presets", nargs="+", help=f"default: {default}")
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128, 512], help="with --presets (32 128 512)")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--seconds", type=float, default=2.0, help="approximate seconds for each cell (default: 2)")
    parser.add_argument("--no-tf32", action="store_true", help="exact float32 products, for tinygan and PyTorch")
    parser.add_argument("--write", action="store_true", help="write bench/results/gpu.md and gpu.json")
    args = parser.parse_args()
    tf32 = not args.no_tf32
    found = call([sys.executable, WORKER, "facts", json.dumps(SIZES)], 60)
    if "per_second" not in found.json():
        sys.exit(f"bench/gpu.py needs an NVIDIA GPU that CuPy can use: {found.sentence()}")
    places = [(p, n) for p in args.presets for n in args.batches] if args.presets else PLACES
    rows = []
    for side in args.sides:
        for preset, batch_size in places:
            rows.append(cell(side, preset, batch_size, tf32, args.seconds, SIZES, SIDES[side]))
            print(json.dumps(rows[-1]), flush=True)
    about = describe(found.json(), tf32)
    text = f"{table(rows)}\n\n{about}\n"
    print(f"\n{text}")
    if args.write:
        (ROOT / "bench/results/gpu.md").write_text(f"# A training step on a GPU (bench/gpu.py)\n\n{text}")
        (ROOT / "bench/results/gpu.json").write_text(json.dumps({"machine": about, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
