"""Measure how good the samples of runs are.

python evaluate.py runs/dcgan-20260101-1            prints a table, and writes into the run
python evaluate.py runs/dcgan-... runs/cgan-...     one table, with a column for each run

Into each run go metrics.json and metrics.png: the samples least like any test image, the test images that no sample
comes near, and the most frequent mistake of class.

Samples are compared with test images, which no network was trained on, by the features of a classifier. The classifier
of MNIST comes with the package. For other data, which must have labels, one is trained once and kept in
~/.cache/tinygan. The column "real" is the same for as many training images: the result of a perfect generator.
"""

import argparse
import json
import sys

from tqdm import tqdm

from tinygan import backend
from tinygan.app import plots, report
from tinygan.app.errors import run_program
from tinygan.app.options import path
from tinygan.app.runs import Run
from tinygan.files import write_text
from tinygan.metrics import Evaluator
from tinygan.metrics.examples import examples

MEANING = {
    "distance": "Frechet distance of features",
    "multiple": "the same in multiples of that of real images, the floor",
    "classifier_score": "how clear each image is, and how varied all are: up to the number of classes",
    "precision": "share of samples near a test image",
    "recall": "share of test images near a sample",
    "density": "how many test images are near a sample",
    "coverage": "share of test images with a sample nearby",
    "label_divergence": "of the classes from those of the training set",
    "modes": "classes that appear",
    "agreement": "share of samples of the class asked for",
    "memorisation": "how far from training images: 1 like test images, 0 copies",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", metavar="RUN", nargs="+", type=path, help="the folder of a run")
    parser.add_argument("--data", type=path, metavar="DIR", help="where the data of the runs is now, if it was moved")
    parser.add_argument("--skip-broken", action="store_true", help="leave out image files that are damaged")
    parser.add_argument("--n", type=int, default=10_000, help="how many samples (default: 10000)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    best = parser.add_argument("--best", action="store_const", const="best", default="last", dest="checkpoint")
    best.help = "the best checkpoint of --evaluate-every instead of the last; writes metrics_best.json"
    parser.add_argument("--debug", action="store_true", help="print the traceback of an error")
    args = parser.parse_args()
    if not 10 <= args.n <= 1_000_000:
        parser.error(f"--n must be from 10 to 1000000; got {args.n}")
    return args


def main(args):
    backend.use(args.device)
    backend.tune()
    results = {}
    suffix = "" if args.checkpoint == "last" else f"_{args.checkpoint}"
    for run in [Run.open(folder) for folder in args.runs]:
        run.settings = run.settings.with_data(args.data, args.skip_broken)
        result, strips = measure(run, args.n, args.checkpoint)
        results[str(run.folder)] = result
        write_text(run.folder / f"metrics{suffix}.json", json.dumps(result, indent=2) + "\n")
        plots.save_strips(run.folder / f"metrics{suffix}.png", strips)
        training = run.settings.training()
        run.load_generator(training)  # the page plays with the last G, whichever was measured
        report.save(run, training)
    print(table(results))
    return 0


def measure(run, n, checkpoint="last"):
    """Return the content of metrics.json and the strips of metrics.png.

    The content: metrics of samples and of real images, and how they were measured.
    """
    settings = run.settings
    if settings.points:
        raise ValueError(f"{run.folder} is a run on a toy world: train.py measures it at its end")
    training = settings.training()
    step = run.load_generator(training, checkpoint)
    with tqdm(total=6, desc="features of test images", leave=False, disable=None) as bar:

        def now(title):
            bar.update()
            bar.set_description(title)

        evaluator = Evaluator(settings.data, n, train_once, run.dataset(), settings.skip_broken)
        now("drawing samples")
        images, asked = evaluator.draw(training, bool(settings.groups))
        now("measuring samples")
        samples = evaluator.judge(images, asked)
        now("measuring real images")
        real = evaluator.judge(evaluator.real.images, None if asked is None else evaluator.real.labels)
        now("searching for copies")
        samples["memorisation"], real["memorisation"] = evaluator.memorisation(images), None
        now("choosing examples")
        strips = examples(evaluator, images, asked)
        bar.update()
    result = {
        "preset": settings.name,
        "step": step,
        "data": evaluator.train.name,
        "note": evaluator.note,
        "n": len(images),
        "test_images": len(evaluator.test.images),
        "classes": evaluator.train.classes,
        "classifier": {key: evaluator.record[key] for key in ("sha256", "test_accuracy")},
        "multiple_of_floor": samples["distance"] / real["distance"],
        "samples": samples,
        "real": real,
    }
    return result, strips


def train_once(steps):
    print("a classifier of this data is trained, once, and kept in ~/.cache/tinygan", file=sys.stderr)
    return tqdm(steps, desc="training it", unit="step", leave=False, disable=None)


def table(results):
    """Return the metrics of runs, {folder of the run: content of metrics.json}, as text."""
    lines, columns = [], {}
    for name, r in results.items():
        name = name if len(results) > 1 else "samples"
        lines.append(
            f"{name}: {r['n']} of {r['preset']} against {r['test_images']} test images of {r['data']}, by a classifier "
            f"that is right on {r['classifier']['test_accuracy']:.2%} of them"
        )
        lines += [r["note"]] if r["note"] else []
        columns[name] = {**r["samples"], "multiple": r["multiple_of_floor"]}
        real = "real" if len({r["data"] for r in results.values()}) == 1 else f"real {r['data']}"
        columns[real] = {**r["real"], "multiple": 1.0}
    columns = dict(sorted(columns.items(), key=lambda column: column[0].startswith("real")))  # real images last
    widths = [max(10, len(name) + 2) for name in columns]
    lines.append(" " * 17 + "".join(f"{name:>{width}}" for name, width in zip(columns, widths)))
    for metric, meaning in MEANING.items():
        values = [column[metric] for column in columns.values()]
        if any(value is not None for value in values):
            cells = "".join(f"{'' if x is None else f'{x:.3g}':>{width}}" for x, width in zip(values, widths))
            lines.append(f"{metric.replace('_', ' '):17}{cells}   {meaning}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_program("evaluate.py", main, arguments()))
