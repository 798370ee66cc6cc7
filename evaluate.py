"""Measure the quality of the samples of runs.

    python evaluate.py RUN            the metrics of a run
    python evaluate.py RUN RUN ...    a table with a column for each run

Each run gets metrics.json and metrics.png. The picture shows the samples that
are farthest from all test images, and the test images that are farthest from
all samples. If the run was trained with labels, the picture also shows the most
frequent error: samples of one class that the classifier assigns to another
class.

Samples are compared with test images by the features of a classifier. The
classifier of MNIST comes with the package. Other data must have labels: then a
classifier is trained once and stored in ~/.cache/tinygan. The column "real" has
the metrics of training images, as many as there are samples. A perfect
generator would have these values.

In the table, an image is near another image y if it is at most as far from y as
the fifth nearest neighbour of y. Only samples are neighbours of samples, and
only test images are neighbours of test images.
"""

import json
import sys

from tqdm import tqdm

from tinygan import backend
from tinygan.app import plots, report
from tinygan.app.errors import run_program
from tinygan.app.options import Parser, path
from tinygan.app.runs import Run
from tinygan.app.terminal import say
from tinygan.files import write_text
from tinygan.metrics import Evaluator
from tinygan.metrics.examples import examples

MEANING = {
    "distance": "Frechet distance between features of samples and of test images",
    "multiple": "the distance, divided by the distance of real images (the floor)",
    "classifier_score": "large if images are clear and all classes occur; at most the number of classes",
    "precision": "fraction of samples near a test image",
    "recall": "fraction of test images near a sample",
    "density": "mean number of test images that a sample is near, divided by 5",
    "coverage": "fraction of test images that have a sample near them",
    "label_divergence": "KL divergence of the class frequencies of samples from those of the training set",
    "modes": "number of classes with at least a fifth of their frequency in the training set",
    "agreement": "fraction of samples with the requested class",
    "memorisation": "distance from the nearest training images: 0 for copies, 1 for test images",
}


def arguments():
    parser = Parser(__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", type=path, help="the folder of a run")
    parser.add_argument("--data", type=path, metavar="DIR", help="the new path of the data, if it was moved")
    parser.add_argument("--skip-broken", action="store_true", help="leave out damaged image files")
    parser.add_argument("--n", type=int, default=10_000, help="number of samples (default: 10000)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    best = parser.add_argument("--best", action="store_const", const="best", default="last", dest="checkpoint")
    best.help = "measure the checkpoint with the best quality (train.py --evaluate-every), and write metrics_best.json"
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
    say(table(results))
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
        "multiple_of_floor": samples["distance"] / real["distance"] if evaluator.has_floor else None,
        "samples": samples,
        "real": real,
    }
    return result, strips


def train_once(steps):
    print("training a classifier of this data, once; it is stored in ~/.cache/tinygan for later runs", file=sys.stderr)
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
        columns[real] = {**r["real"], "multiple": r["multiple_of_floor"] and 1.0}
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
