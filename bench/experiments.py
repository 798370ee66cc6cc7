"""Train the default preset with changes, in short runs, to find out which changes help.

    python bench/experiments.py --depth 0 --real-label 0.9 --no-decay     train, measure, and add a row to the table
    python bench/experiments.py --groups 40                               the same, with groups in place of labels
    python bench/experiments.py --table                                   only write the table again

The script writes bench/results/experiments.json and the table of docs/experiments.md. Some changes did not help, so
their code is in this file and not in tinygan.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tinygan import backend, data  # noqa: E402
from tinygan.autograd import Tensor, broadcast_to, concatenate, no_grad, primitive  # noqa: E402
from tinygan.data import groups  # noqa: E402
from tinygan.gan import conditional, models, presets  # noqa: E402
from tinygan.gan.augment import Augmented  # noqa: E402
from tinygan.gan.presets import PRESETS  # noqa: E402
from tinygan.layers import BatchNorm, Conv2d, Linear, Module, ReLU, Sequential  # noqa: E402
from tinygan.metrics import Evaluator  # noqa: E402

RESULTS, PAGE = ROOT / "bench/results/experiments.json", ROOT / "docs/experiments.md"
BEGIN, END = "<!-- experiments -->\n", "<!-- end of experiments -->"
COLUMNS = {"multiple": ".2f", "coverage": ".3f", "recall": ".3f", "precision": ".3f", "agreement": ".1%"}


class ConditionalBatchNorm(Module):
    """BatchNorm with a gain and a shift for each class        (Miyato & Koyama 2018; Dumoulin et al. 2017)"""

    def __init__(self, channels, classes):
        self.norm = BatchNorm(channels)
        zeros = backend.xp.zeros((classes, channels), "float32")
        self.gain, self.shift = Tensor(zeros, requires_grad=True), Tensor(zeros.copy(), requires_grad=True)

    def forward(self, x, labels):
        shape = (len(x), *[1] * (x.ndim - 2), x.shape[-1])
        return self.norm(x) * (labels @ self.gain + 1.0).reshape(*shape) + (labels @ self.shift).reshape(*shape)


class ConditionalGenerator(Module):
    """A generator that gets the labels with the latent vector, and again in each normalisation."""

    def __init__(self, network, classes):
        layers = network.layers
        self.network = Sequential(
            *(ConditionalBatchNorm(x.gamma.size, classes) if isinstance(x, BatchNorm) else x for x in layers)
        )

    def forward(self, x, labels):
        x = conditional.append_labels(x, labels)
        for layer in self.network.layers:
            x = layer(x, labels) if isinstance(layer, ConditionalBatchNorm) else layer(x)
        return x


class Projection(Module):
    """D(x, y) = f(x) + g_y(x), y: the class; f and all g_y: the outputs of `network`        (Miyato & Koyama 2018)"""

    def __init__(self, network):
        self.network = network

    def forward(self, x, labels):
        logits = self.network(x)
        return logits[:, :1] + (logits[:, 1:] * labels).sum(axis=1, keepdims=True)


class MinibatchDeviation(Module):
    """Add a constant channel: the mean of the standard deviations over the batch    (Karras et al. 2018, section 3)"""

    def forward(self, x):
        centred = x - x.mean(axis=0, keepdims=True)
        deviation = (((centred * centred).mean(axis=0, keepdims=True) + 1e-8) ** 0.5).mean()
        return concatenate(x, broadcast_to(deviation.reshape(1, 1, 1, 1), shape=(*x.shape[:3], 1)), axis=-1)


@primitive
def moved(x, down, right):
    """y = each image moved by its own number of pixels, with zeros at the edges        dL/dx = g moved back"""
    xp, (n, h, w, _) = backend.xp, x.shape
    rows, columns = xp.arange(h) + down[:, None], xp.arange(w) + right[:, None]
    y = x[xp.arange(n)[:, None, None], rows.clip(0, h - 1)[:, :, None], columns.clip(0, w - 1)[:, None, :]]
    inside = [((i >= 0) & (i < size)).astype(x.dtype) for i, size in ((rows, h), (columns, w))]
    return y * (inside[0][:, :, None, None] * inside[1][:, None, :, None])


moved.defvjp(lambda g, y, x, down, right: moved(g, down=-down, right=-right))


class Translated(Module):
    """A discriminator that gets each image, real or fake, moved by up to `most` pixels        (Zhao et al. 2020)"""

    def __init__(self, network, most, rng):
        self.network, self.most, self.rng = network, most, rng

    def forward(self, x, *labels):
        steps = backend.xp.floor(self.rng.uniform((2, len(x)), "float32") * (2 * self.most + 1)) - self.most
        down, right = steps.astype("int64")
        return self.network(moved(x + 1.0, down=down, right=right) - 1.0, *labels)


def options(words):
    own = PRESETS["cgan"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--table", action="store_true", help="only write the table")
    add("--data", help="a folder; default: MNIST")
    add("--images", type=int, metavar="N", help="train on the first N images only (default: all)")
    add("--groups", type=int, default=0, help="number of groups in place of labels")
    add("--group-features", choices=["pixels", "D"], default="pixels", help="D: features of D of dcgan after one epoch")
    add("--steps", type=int, default=6000)
    add("--seed", type=int, default=0)
    add("--batch-size", type=int, default=own.batch_size)
    add("--lr", type=float, default=own.lr)
    add("--lr-ratio", type=float, default=1.0, help="D's learning rate divided by G's (Heusel et al. 2017)")
    add("--decay", action=argparse.BooleanOptionalAction, default=own.decay)
    add("--real-label", type=float, default=own.real_label)
    add("--loss", default=own.loss)
    add("--depth", type=int, default=2, help="convolutions of D at the smallest size")
    add("--width", type=int, default=32, help="channels of D")
    add("--g-width", type=int, default=32)
    add("--g-depth", type=int, default=1, help="convolutions of G at the smallest size")
    add("--g-fine", type=int, default=0, help="convolutions of G at half the size of the image")
    add("--g-labels", choices=["input", "norm"], default="input", help="norm: G gets the labels in BatchNorm too")
    add("--d-labels", choices=["input", "projection"], default="input", help="where D gets the labels")
    add("--translate", type=int, default=0, metavar="PIXELS", help="move each image before D by up to PIXELS")
    add("--augment", type=float, default=own.augment, help="probability of each change of gan/augment.py")
    add("--minibatch-deviation", action="store_true")
    add(
        "--wrong-labels",
        type=float,
        help="weight of real images with a wrong label (default: the preset's, 0 for groups)",
    )
    add("--dropout", type=float, default=own.dropout, help="in D")
    add("--ema", type=float, default=own.ema, help="half-life in images")
    return parser.parse_args(words)


def kept_size(channels, rng):
    return [Conv2d(channels, channels, 3, rng, padding=1, bias=False), BatchNorm(channels), ReLU()]


def generator(args, classes, shape, latent_size, rng):
    """Return the changed generator. latent_size: of the latent vector with the label appended."""
    network = models.dcgan_generator(shape, latent_size, rng, width=args.g_width, depth=args.g_depth)
    fine = [x for _ in range(args.g_fine) for x in kept_size(args.g_width, rng)]
    network = Sequential(*network.layers[:-2], *fine, *network.layers[-2:])
    return ConditionalGenerator(network, classes) if args.g_labels == "norm" else conditional.Conditional(network)


def discriminator(args, classes, shape, rng):
    """Return the changed discriminator."""
    projected = args.d_labels == "projection"
    shape = shape if projected else (*shape[:-1], shape[-1] + classes)
    network = models.dcgan_discriminator(shape, rng, args.dropout, width=args.width, depth=args.depth)
    features, last = network.layers[:-1], network.layers[-1]
    n_in, n_out = last.weight.shape[0], 1
    extra = [MinibatchDeviation()] if args.minibatch_deviation else []
    if extra:
        n_in = n_in // (2 * args.width) * (2 * args.width + 1)
    if projected or extra:
        n_out += classes if projected else 0
        network = Sequential(*features[:-1], *extra, features[-1], Linear(n_in, n_out, rng))
    D = Projection(network) if projected else conditional.Conditional(network)
    D = Translated(D, args.translate, rng) if args.translate else D
    return Augmented(D, args.augment, rng) if args.augment else D


def build(args, dataset, sizes):
    """Return the Training of the preset cgan with the changes."""
    shape, classes = dataset.images.shape[1:], dataset.classes
    preset = PRESETS["cgan"]
    wrong_labels = (0.0 if args.groups else preset.wrong_labels) if args.wrong_labels is None else args.wrong_labels
    preset = preset._replace(
        lr=args.lr, batch_size=args.batch_size, decay=args.decay, real_label=args.real_label, loss=args.loss,
        steps=args.steps, ema=args.ema, wrong_labels=wrong_labels,
    )  # fmt: skip
    changed = {
        "build_generator": lambda preset, shape, rng, n: generator(args, n, shape, preset.latent_size + n, rng),
        "build_discriminator": lambda preset, shape, rng, n: discriminator(args, n, shape, rng),
    }
    with mock.patch.multiple(presets, **changed):
        training = presets.build(preset, shape, args.seed, classes, sizes)
    rate, k = training.D_optimizer.lr, args.lr_ratio
    rate *= k
    training.schedules = [
        (array, k * start, k * end) if array is rate else (array, start, end)
        for array, start, end in training.schedules
    ]
    return training


def features_of_D(images, seed):
    """Return the features that the last layer of dcgan's D gets, after one epoch of training: (N, features)."""
    preset = PRESETS["dcgan"]
    training = presets.build(preset, images.shape[1:], seed)
    batches = data.Batches(data.Dataset(images, None, "images"), preset.batch_size, seed)
    batches.start_epoch(0)
    for _ in range(batches.steps_per_epoch):
        training.step(batches)
    body = Sequential(*training.gan.D.eval().layers[:-1])
    with no_grad():
        parts = [body(Tensor(data.to_float(images[i : i + 500]))).numpy() for i in range(0, len(images), 500)]
    return np.concatenate(parts)


def measured(words):
    """Train with these options, and return a row of the table."""
    args = options(words)
    loaded, sizes = data.load(args.data), ()
    dataset = loaded._replace(images=loaded.images[: args.images], labels=loaded.labels[: args.images])
    if args.groups:
        features = features_of_D(dataset.images, args.seed) if args.group_features == "D" else dataset.images
        dataset = dataset._replace(labels=groups.find(features, args.groups))
        sizes = tuple(np.bincount(dataset.labels).tolist())
    training = build(args, dataset, sizes)
    batches = data.Batches(dataset, args.batch_size, args.seed, 1, True)
    for step in range(args.steps):
        if step % batches.steps_per_epoch == 0:
            batches.start_epoch(step // batches.steps_per_epoch)
        training.step(batches)
    evaluator = Evaluator(args.data, train=loaded)
    images, asked = evaluator.draw(training, bool(sizes))
    found = evaluator.judge(images, asked)
    found["multiple"] = found["distance"] / evaluator.distance(evaluator.real.images)
    return {"command": " ".join(map(str, words)), **{name: found[name] for name in COLUMNS}}


def rows():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def table():
    lines = [
        "| python bench/experiments.py | times the floor | coverage | recall | precision | of the requested class |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    other = re.compile("--(data|groups|images)")  # these rows come last
    for row in sorted(rows(), key=lambda row: (bool(other.search(row["command"])), row["multiple"])):
        cells = ["-" if row[name] is None else format(row[name], form) for name, form in COLUMNS.items()]
        lines.append(f"| `{row['command'] or '(no options)'}` | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    args = options(sys.argv[1:])
    if not args.table:
        backend.use("cpu")
        backend.tune(1)
        row = measured(sys.argv[1:])
        kept = [old for old in rows() if old["command"] != row["command"]]
        RESULTS.write_text(json.dumps([*kept, row], indent=1) + "\n")
        print(row)
    before, after = PAGE.read_text().split(BEGIN)[0], PAGE.read_text().split(END)[1]
    PAGE.write_text(before + BEGIN + table() + END + after)
