"""Say in numbers how good the samples of a run are.

python evaluate.py runs/dcgan-20260101-1            prints a table, and writes metrics.json into the run

Samples are compared with test images, which nobody has trained on, through the features of a classifier. The one for
MNIST comes with the package; for other data, which must have labels, one is trained once and kept in ~/.cache/tinygan.
Beside the samples stand as many training images: what a perfect generator would get.
"""

import argparse
import json
import sys

from tqdm import tqdm

from tinygan import backend
from tinygan.app import report
from tinygan.app.runs import Run
from tinygan.files import write_text
from tinygan.metrics import Evaluator

MEANING = {
    "distance": "Frechet distance of features: {multiple:.3g} times that of real images",
    "classifier_score": "how clear each image is, and how various all are: up to {classes}",
    "precision": "share of samples that lie among test images",
    "recall": "share of test images that lie among samples",
    "density": "how densely test images lie around a sample",
    "coverage": "share of test images with a sample near by",
    "label_divergence": "of the classes from those of the training set",
    "modes": "classes that come, of {classes}",
    "agreement": "share that is of the class asked for",
    "memorisation": "how far from training images: 1 like test images, 0 copies",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="the folder of a run")
    parser.add_argument("--n", type=int, default=10_000, help="how many samples (default: 10000)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    args = parser.parse_args()
    if args.n < 10:
        parser.error("--n must be at least 10")
    backend.use(args.device)
    backend.tune()
    run = Run.open(args.run)
    result = measure(run, args.n)
    write_text(run.folder / "metrics.json", json.dumps(result, indent=2) + "\n")
    report.save(run)
    print(table(result))


def measure(run, n):
    """What metrics.json holds: the numbers of samples, of real images in their place, and what they rest on."""
    shape, source = run.settings.shape, run.settings.data
    if len(shape) == 1:
        raise ValueError(f"{run.folder} is a run on a toy world: train.py says at its end how good it is")
    training = run.settings.training()
    step = run.load_generator(training)
    with tqdm(total=5, desc="looking at test images", leave=False, disable=None) as bar:

        def now(title):
            bar.update()
            bar.set_description(title)

        evaluator = Evaluator(source, n, progress=train_once)
        if evaluator.real.images.shape[1:] != shape:
            raise ValueError(f"the images of {source} are no longer of shape {shape}, for which this run was made")
        now("drawing samples")
        images, asked = evaluator.draw(training)
        now("judging samples")
        samples = evaluator.judge(images, asked)
        now("judging real images")
        real = evaluator.judge(evaluator.real.images, None if asked is None else evaluator.real.labels)
        now("looking for copies")
        samples["memorisation"], real["memorisation"] = evaluator.memorisation(images), None
        bar.update()
    return {
        "preset": run.settings.name,
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


def train_once(steps):
    print("a network that measures this data is trained, once, and kept in ~/.cache/tinygan", file=sys.stderr)
    return tqdm(steps, desc="training it", unit="step", leave=False, disable=None)


def table(result):
    """The numbers, as text."""
    r = result
    lines = [
        f"{r['preset']}: {r['n']} samples against {r['test_images']} test images of {r['data']}, seen by a classifier "
        f"that is right on {r['classifier']['test_accuracy']:.2%} of them",
        *([r["note"]] if r["note"] else []),
        f"{'':17}{'samples':>10}{'real':>10}",
    ]
    for name, meaning in MEANING.items():
        pair = r["samples"][name], r["real"][name]
        if pair[0] is not None:
            cells = "".join(f"{'' if x is None else f'{x:.3g}':>10}" for x in pair)
            said = meaning.format(multiple=r["multiple_of_floor"], classes=r["classes"])
            lines.append(f"{name.replace('_', ' '):17}{cells}   {said}")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main()
    except (backend.DeviceError, ValueError, OSError) as error:
        sys.exit(f"evaluate.py: {error}")
