"""Time a training step on the CPU: tinygan with NumPy, tinygan with Numba, and PyTorch.

    python bench/step.py                     print the table
    python bench/step.py --against COMMIT    compare a step of this checkout with a step of another commit
    python bench/step.py --profile dcgan     print the time of each primitive in tinygan's step
    python bench/step.py --write             also write the table to bench/results/step.md and the README, or a profile
                                             to bench/results/profile-PRESET.txt

The script needs the extras `bench` (PyTorch) and `fast` (Numba); --against needs no PyTorch. Each side has its own
process, and the sides take turns. The table is measured in two passes. It is not written if the passes differ, or if
the machine is much slower than it has been. Figures are medians. On a shared machine, compare only the ratios.
"""

import argparse
import contextlib
import itertools
import json
import platform
import statistics
import subprocess
import sys

import machine
import readme
from tqdm import tqdm
from turns import ROOT, Worker, environment, start_again, take_turns

sys.path.insert(0, str(ROOT))

SIDES = {  # the column of the table: the side in worker.py, and the kernels of tinygan
    "NumPy": ("tinygan", "numpy"),
    "Numba": ("tinygan", "numba"),
    "Numba, in train.py": ("train.py", "numba"),
    "PyTorch": ("PyTorch", "numpy"),  # Numba's OpenMP in the same process would slow PyTorch down
    "PyTorch, channels last": ("PyTorch, channels last", "numpy"),
    "torch.compile": ("torch.compile", "numpy"),
}
OURS = ("NumPy", "Numba", "Numba, in train.py")
FLAT = ("vanilla",)  # presets without convolutions, for which channels last means nothing
PASSES = 2


def measure(threads, preset, batch_size, rounds):
    """Return ({column: the seconds of a step in each turn}, {column: the libraries of its process})."""
    with contextlib.ExitStack() as stack:
        workers = {
            column: stack.enter_context(Worker(side, preset, batch_size, threads, kernels))
            for column, (side, kernels) in SIDES.items()
            if not (preset in FLAT and "last" in column)
        }
        turns = take_turns(list(workers.values()), rounds)
    seconds = {column: [turn["wall"] for turn in own] for column, own in zip(workers, turns)}
    return seconds, {column: worker.about for column, worker in workers.items()}


def row_of(place, passes):
    """Return a row of the table: quartiles in milliseconds, and the ratios of PyTorch's median to those of tinygan.

    The ratios use the fastest of PyTorch's columns. passes: the results of `measure` for each pass.
    """
    threads, preset, batch_size = place
    columns = {column: [t for seconds in passes for t in seconds[column]] for column in passes[0]}
    quartiles = {column: [round(1000 * q, 2) for q in statistics.quantiles(t, n=4)] for column, t in columns.items()}
    fastest = min(q[1] for column, q in quartiles.items() if column not in OURS)
    ratios = {column: round(fastest / q[1], 2) for column, q in quartiles.items() if column in OURS}
    return {"preset": preset, "batch": batch_size, "threads": threads, **quartiles, "ratios": ratios}


def table(rows):
    """Return the rows as Markdown. A ratio over 1 means that tinygan is faster."""
    heads = ["preset", "batch", "threads", *(f"{column}, ms" for column in SIDES), *(f"PyTorch / {x}" for x in OURS)]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for row in rows:
        cells = [f"{row[k][1]:.1f} ({row[k][0]:.1f}-{row[k][2]:.1f})" if k in row else "-" for k in SIDES]
        cells += [f"**{row['ratios'][column]:.2f}**" for column in OURS]
        lines.append(f"| {' | '.join([row['preset'], str(row['batch']), str(row['threads']), *cells])} |")
    return "\n".join(lines)


def measure_table(places, rounds):
    """Return (rows, description of machine and libraries, doubts about the table, the Machines)."""
    machines = {threads: machine.Machine(threads) for threads, *_ in places}
    passes, libraries = {place: [] for place in places}, {}
    for place in tqdm(places * PASSES):
        machines[place[0]].sample()
        seconds, about = measure(*place, rounds)
        passes[place].append(seconds)
        libraries |= about
    for each in machines.values():
        each.sample()
    medians = {
        f"{' '.join(map(str, place))} {column}": [statistics.median(seconds[column]) for seconds in own]
        for place, own in passes.items()
        for column in own[0]
    }
    versions = {name: version for about in libraries.values() for name, version in about.items()}
    text = ", ".join([f"Python {platform.python_version()}", *(f"{name} {v}" for name, v in versions.items())])
    rows, all_machines = [row_of(*item) for item in passes.items()], list(machines.values())
    text = f"{'. '.join(map(str, all_machines))}. {text}. OPENBLAS_* unset."
    return rows, text, machine.doubts(all_machines, medians), all_machines


def write(rows, about, text, machines):
    (ROOT / "bench/results/step.md").write_text(f"# A training step on the CPU (bench/step.py)\n\n{text}")
    (ROOT / "bench/results/step.json").write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n")
    readme.write("step", text)
    for each in machines:
        each.save()


def profile(preset, keep):
    """Print the time of each primitive in tinygan's step, and of the slowest operators of PyTorch's step."""
    start_again()
    from tinygan import backend

    backend.tune()
    import operations

    words = [sys.executable, "-W", "ignore", __file__, "--torch-profile", preset]
    options = dict(env=environment(backend.cpu.threads.THREADS, "numpy"), capture_output=True, text=True, check=True)
    text = f"{operations.profile(preset)}\n\n{subprocess.run(words, **options).stdout.strip()}"
    if keep:
        (ROOT / f"bench/results/profile-{preset}.txt").write_text(f"{text}\n\n{machine.describe()}\n")
    print(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    presets = ["vanilla", "dcgan", "cgan", "wgan-gp", "sngan", "r3gan"]
    parser.add_argument("--presets", nargs="+", choices=presets, default=presets, help=f"default: {' '.join(presets)}")
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128, 512], help="default: 32 128 512")
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1], help="default: 2 1")
    parser.add_argument("--rounds", type=int, default=6, help="turns of each side, in each pass or start (default: 6)")
    parser.add_argument("--against", metavar="COMMIT", help="compare with another commit, and nothing else")
    parser.add_argument("--profile", metavar="PRESET", help="print the time of each primitive, and nothing else")
    parser.add_argument("--torch-profile", metavar="PRESET", help=argparse.SUPPRESS)  # in a process without Numba
    parser.add_argument("--write", action="store_true", help="write the table, or the profile, to bench/results")
    return parser.parse_args()


def main(args):
    if args.torch_profile:
        import operations

        return print(operations.torch_profile(args.torch_profile))
    if args.profile:
        return profile(args.profile, args.write)
    places = list(itertools.product(args.threads, args.presets, args.batches))
    if args.against:
        import against

        return against.table(args.against, places, args.rounds)
    rows, about, doubts, machines = measure_table(places, args.rounds)
    text = f"{table(rows)}\n\n{about} The times are medians, with quartiles in brackets.\n"
    print(text)
    if doubts:
        sys.exit("\n".join(["the table is not to be trusted, and is not written:", *doubts]))
    if args.write:
        write(rows, about, text, machines)


if __name__ == "__main__":
    main(arguments())
