"""Train and measure every preset, and write the tables of presets in the README.

    python bench/presets.py                                   all presets: an hour or two on a CPU
    python bench/presets.py --only dcgan sngan --seeds 0 1    two presets with two seeds each
    python bench/presets.py --only cgan --epochs 30           more epochs than the preset has
    python bench/presets.py --only "cgan without labels"      on groups of similar images
    python bench/presets.py --only cgan --data DIR            on other images, which have another table

The runs are in runs/table/<preset>-<seed>. The name also contains the data and the epochs if they are not the default.
An existing run is resumed, or only read if it is finished. The script writes docs/presets/, bench/results/presets.json,
and the README between its markers. A preset without a run on the same data keeps its old rows.
"""

import argparse
import itertools
import json
import platform
import subprocess
import sys
from pathlib import Path

import readme
from timing import fastest_step

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tinygan import backend, data  # noqa: E402
from tinygan.app import groups, plots  # noqa: E402
from tinygan.app.runs import Run  # noqa: E402
from tinygan.backend.cpu import threads  # noqa: E402
from tinygan.gan.presets import PRESETS  # noqa: E402

RESULTS = ROOT / "bench/results/presets.json"
STRIP = 10  # images in a row of the picture of a preset
STEPS = 30  # steps that are timed
LESSONS = {
    "vanilla": "two small networks and two losses are enough for digits, but the images are noisy",
    "lsgan": "a squared distance replaces the logarithm, so the gradient grows with the distance to the target",
    "dcgan": "convolutions find strokes instead of single pixels, and BatchNorm makes the training stable",
    "sngan": "dividing each weight matrix of D by its largest singular value bounds D's gradient",
    "cgan": "both networks get the class, so the user can choose the digit",
    "cgan without labels": "groups of similar images can be used as classes",
    "wgan-gp": "a penalty on D's gradient makes D's loss a distance; the penalty needs a second derivative",
    "r3gan": "D compares real and fake images in pairs, and a penalty bounds D's gradient; no BatchNorm is needed",
}
QUALITY = {  # heading: (metric of metrics.json, format)
    "precision": ("precision", ".2f"),
    "recall": ("recall", ".2f"),
    "coverage": ("coverage", ".3f"),
    "label KL": ("label_divergence", ".2g"),
    "classifier score": ("classifier_score", ".2f"),
    "of the requested class": ("agreement", ".2%"),
    "memorisation": ("memorisation", ".2f"),
}
HEADINGS = ["Frechet distance", "times the floor", *QUALITY]


def trained(out, preset, seed, epochs, source):
    """Return the finished and measured run of a preset. Train and measure it first if necessary.

    epochs: a number, or None for the epochs of the preset. source: the folder of the data, or None for MNIST
    """
    name, *unlabelled = preset.split(maxsplit=1)
    others = [source.name] if source else []
    folder = out / "-".join([*preset.split(), str(seed), *others, *([str(epochs)] if epochs else [])])
    words = [*(["--no-labels"] if unlabelled else []), *(["--data", source] if source else [])]
    if not (folder / "metrics.json").exists():
        new = ["--preset", name, *words, "--seed", str(seed), "--out", folder]
        start = ["--resume", folder] if folder.exists() else new
        longer = ["--epochs", str(epochs)] if epochs else []
        subprocess.run([sys.executable, ROOT / "train.py", "--device", "cpu", *start, *longer], check=True)
        subprocess.run([sys.executable, ROOT / "evaluate.py", folder], check=True)
    return Run.open(folder)


def name_of(run):
    return run.settings.name + (" without labels" if run.settings.groups else "")


def known(run, times):
    """Return the row of a run for presets.json. times: whether to time the steps."""
    training, batches = run.settings.training(), run.settings.batches(groups.load(run, run.settings.dataset()))
    run.load(training=training)
    about = json.loads(run.config.read_text())
    steps = int(training.steps[0])
    epochs = steps / batches.steps_per_epoch
    seconds = round(fastest_step(training, batches, STEPS) * batches.steps_per_epoch) if times else None
    sizes = [sum(p.size for p in network.parameters()) for network in (training.gan.G, training.gan.D)]
    return {
        "preset": name_of(run), "seed": run.settings.seed, "steps": steps,
        "batch": run.settings.preset.batch_size, "epochs": round(epochs, 1), "epoch": seconds,
        "G": sizes[0], "D": sizes[1], "machine": this_machine(),
        "versions": about["versions"], "commit": about["commit"],
        "quality": json.loads((run.folder / "metrics.json").read_text()),
    }  # fmt: skip


def save_strip(run, row):
    """Draw ten samples in a row, of ten classes if the preset is conditional. For other data draw four rows."""
    n = STRIP if is_mnist(row) else 4 * STRIP
    training = run.settings.training()
    run.load_generator(training)
    latent = backend.RNG(0).normal((n, run.settings.preset.latent_size))
    classes = backend.xp.arange(n) % STRIP if run.settings.preset.conditional else None
    images = data.to_pixels(backend.to_host(training.sample(latent, classes)))
    plots.save_grid(ROOT / picture(row), images, STRIP)


def picture(row):
    """Return the path of the picture of a preset on this data."""
    name = row["preset"].replace(" ", "-")
    return f"docs/presets/{name if is_mnist(row) else name + '-' + row['quality']['data']}.png"


def is_mnist(row):
    return row["quality"]["data"] == "mnist"


def by_default(row):
    """Return whether a run has seed 0 and the steps of its preset."""
    return row["seed"] == 0 and row["steps"] == PRESETS[row["preset"].split()[0]].steps


def gallery(rows):
    rows = [row for row in rows if by_default(row) and is_mnist(row)]
    lines = [
        "| preset | ten samples, not selected | steps x batch | weights of G, D | an epoch takes | what it teaches |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in rows:
        name, sizes = r["preset"], f"{r['G'] / 1e6:.2f} M, {r['D'] / 1e6:.2f} M"
        size, epoch = f"{r['steps']} x {r['batch']}", f"{r['epoch']} s" if r["epoch"] else "-"
        lines.append(f"| {name} | ![{name}]({picture(r)}) | {size} | {sizes} | {epoch} | {LESSONS[name]} |")
    timed = {}
    for r in [r for r in rows if r["epoch"]]:
        timed.setdefault(f"{r['machine']}, NumPy {r['versions']['numpy']}", []).append(r["preset"])
    times = f"The time of an epoch is computed from the fastest of {STEPS} steps."
    places = " ".join(f"{', '.join(names)}: {machine}." for machine, names in timed.items())
    return "\n".join([*lines, "", f"{times} {places} Written by `bench/presets.py`.", ""])


def this_machine():
    model = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), "a CPU")
    return f"{threads.THREADS} thread{'s' * (threads.THREADS > 1)} of {model} ({platform.machine()})"


def cells(numbers, multiple):
    """Return the cells of one row: the distance, its multiple of the floor, and the metrics in QUALITY."""
    others = ["-" if numbers[m] is None else format(numbers[m], form) for m, form in QUALITY.values()]
    return [format(numbers["distance"], ".3g"), f"{multiple:.3g}", *others]


def table(headings, lines):
    """Return a table. lines: a list of cells for each line"""
    lines = [headings, ["---"] * len(headings), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def quality(rows):
    """Return the table of the runs on MNIST: the best run first, and training images last."""
    rows = sorted(filter(is_mnist, rows), key=lambda r: r["quality"]["samples"]["distance"])
    lines = [
        [
            r["preset"],
            f"{r['epochs']:g}",
            str(r["seed"]),
            *cells(r["quality"]["samples"], r["quality"]["multiple_of_floor"]),
        ]
        for r in rows
    ]
    first = rows[0]["quality"]
    lines.append(["*training images*", "-", "-", *cells(first["real"], 1)])
    accuracy = first["classifier"]["test_accuracy"]
    note = (
        f"Each row compares {first['n']} samples with {first['test_images']} test images (`evaluate.py`). The "
        f"classifier is right on {accuracy:.2%} of the test images. Written by `bench/presets.py`."
    )
    return f"{table(['preset', 'epochs', 'seed', *HEADINGS], lines)}\n{note}\n"


def others(rows):
    """Return a table for each data set but MNIST: the best run first, training images last, and a picture of seed 0."""
    rows = sorted(
        (row for row in rows if not is_mnist(row)),
        key=lambda r: (r["quality"]["data"], r["quality"]["samples"]["distance"]),
    )
    text = ""
    for name, of_data in itertools.groupby(rows, key=lambda r: r["quality"]["data"]):
        of_data = list(of_data)
        first, lines = of_data[0]["quality"], []
        for r in of_data:
            image = f"![{r['preset']} on {name}]({picture(r)})" if by_default(r) else "-"
            lines.append([
                r["preset"], image, f"{r['epochs']:g}", str(r["seed"]),
                *cells(r["quality"]["samples"], r["quality"]["multiple_of_floor"]),
            ])  # fmt: skip
        lines.append(["*training images*", "-", "-", "-", *cells(first["real"], 1)])
        accuracy = first["classifier"]["test_accuracy"]
        text += table([name, "samples, not selected", "epochs", "seed", *HEADINGS], lines)
        text += f"\nThe classifier of {name} is right on {accuracy:.2%} of its {first['test_images']} test images.\n\n"
    return f"{text}Written by `bench/presets.py`.\n" if text else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=LESSONS, default=list(LESSONS), help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="default: 0")
    parser.add_argument("--epochs", type=int, help="default: as in the preset")
    parser.add_argument("--data", type=Path, help="a folder; default: MNIST")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "table", help="default: runs/table")
    parser.add_argument("--no-times", action="store_true", help="do not time steps, because the machine is busy")
    parser.add_argument("--no-write", action="store_true", help="train and measure, but do not write the README")
    args = parser.parse_args()
    assert {name.split()[0] for name in LESSONS} == PRESETS.keys()
    backend.use("cpu")
    backend.tune()
    runs = [trained(args.out, name, seed, args.epochs, args.data) for seed in args.seeds for name in args.only]
    if args.no_write:
        return
    kept = [Run.open(path.parent) for path in sorted(args.out.glob("*/metrics.json"))]
    order = list(LESSONS)
    rows = [known(run, not args.no_times) for run in kept]
    for run, row in zip(kept, rows):
        if by_default(row):
            save_strip(run, row)
    measured = {(row["preset"], row["quality"]["data"]) for row in rows}
    old = json.loads(RESULTS.read_text())
    rows += [row for row in old if (row["preset"], row["quality"]["data"]) not in measured]
    rows.sort(key=lambda row: (row["quality"]["data"], row["seed"], order.index(row["preset"]), row["steps"]))
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    readme.write("presets", gallery(rows))
    readme.write("quality", quality(rows))
    readme.write("others", others(rows))
    print(f"{len(runs)} runs; the tables are in README.md")


if __name__ == "__main__":
    main()
