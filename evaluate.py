"""Measure the quality of the samples of runs.

python evaluate.py runs/dcgan-20260101-1            prints the metrics
python evaluate.py runs/dcgan-... runs/cgan-...     prints a table with a column for each run

Each run gets metrics.json and metrics.png. The picture shows the samples that are least like any test image, the test
images that are least like any sample, and the most frequent error of class.

The features of a classifier are used to compare samples with test images, on which no network was trained. The
classifier of MNIST comes with the package. For other data, which must have labels, a classifier is trained once and
stored in ~/.cache/tinygan. The column "real" has the metrics of the same number of training images: a perfect generator
would have these values.
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
    "distance": "Frechet distance between features of samples and of test images",
    "multiple": "the distance, divided by the distance of real images (the floor)",
    "classifier_score": "large if images are clear and all classes occur; at most the number of classes",
    "precision": "fraction of samples near a test image",
    "recall": "fraction of test images near a sample",
    "density": "number of test images near a sample",
    "coverage": "fraction of test images with a sample nearby",
    "label_divergence": "KL divergence of class frequencies from the training set",
    "modes": "number of classes that occur",
    "agreement": "fraction of samples with the requested class",
    "memorisation": "distance from training images: 0 for copies, 1 for test images",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", metavar="RUN", nargs="+", type=path, help="the folder of a run")
    parser.add_argument("--data", type=path, metavar="DIR", help="the new path of the data, if it was moved")
    parser.add_argument("--skip-broken", action="store_true", help="leave out damaged image files")
    parser.add_argument("--n", type=int, default=10_000, help="number of samples (default: 10000)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    best = parser.add_argument("--best", action="store_const", const="best", default="last", dest="checkpoint")
    best.help = "use the best checkpoint of --evaluate-every instead of the last; writes metrics_best.json"
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
        run.load_generator(training)  # the page contains G of the last checkpoint, even with --best
        report.save(run, training)
    print(table(results))
    return 0


def measure(run, n, checkpoint="last"):
    """Measure n samples of a run. Return the content of metrics.json and the strips of metrics.png."""
    settings = run.settings
    if settings.points:
        raise ValueError(f"{run.folder} is a run on toy data: train.py rates its samples at the end")
    training = settings.training()
    step = run.load_generator(training, checkpoint)
    with tqdm(total=6, desc="features of test images", leave=False, disable=None) as bar:

        def begin(title):
            bar.update()
            bar.set_description(title)

        evaluator = Evaluator(settings.data, n, train_once, run.dataset(), settings.skip_broken)
        begin("drawing samples")
        images, asked = evaluator.draw(training, bool(settings.groups))
        begin("measuring samples")
        samples = evaluator.judge(images, asked)
        begin("measuring real images")
        real = evaluator.judge(evaluator.real.images, None if asked is None else evaluator.real.labels)
        begin("searching for copies")
        samples["memorisation"], real["memorisation"] = evaluator.memorisation(images), None
        begin("choosing examples")
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
    print("training a classifier of this data, once; it will be kept in ~/.cache/tinygan", file=sys.stderr)
    return tqdm(steps, desc="classifier", unit="step", leave=False, disable=None)


def table(results):
    """Return the metrics of runs as text. results: {folder of the run: content of metrics.json}"""
    lines, columns = [], {}
    for name, r in results.items():
        name = name if len(results) > 1 else "samples"
        lines.append(
            f"{name}: {r['n']} of {r['preset']} against {r['test_images']} test images of {r['data']}; the classifier "
            f"is right on {r['classifier']['test_accuracy']:.2%} of the test images"
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
