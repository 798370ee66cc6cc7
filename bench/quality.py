"""Compare the quality of samples after ten minutes of training: tinygan's default, and two DCGANs in PyTorch.

    python bench/quality.py             one comparison: ten minutes of training for each side
    python bench/quality.py --write     two comparisons, written to bench/results/quality.json and .png and the README

PyTorch has two sides: the DCGAN of the tutorial, which has no labels, and the conditional networks of tinygan's default
with the settings of the tutorial. The sides take turns. tinygan measures the Frechet distance of 10,000 samples of each
side from the 10,000 test images. The time of measuring is not counted. The script needs the extra `bench` (PyTorch).
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import readme
import torch
from machine import describe
from matplotlib.figure import Figure
from torch import nn
from torch_gans import TorchGAN
from turns import start_again

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tinygan import backend, data, metrics  # noqa: E402
from tinygan.app.options import DEFAULT  # noqa: E402
from tinygan.backend.cpu import threads  # noqa: E402
from tinygan.gan import presets  # noqa: E402

OURS, THEIRS, LABELLED = f"tinygan, {DEFAULT}", "PyTorch, DCGAN", "PyTorch, DCGAN with labels"
SIDES = {OURS: "C0", THEIRS: "C1", LABELLED: "C2"}  # side: the colour of its curves
SAMPLES, BATCH = 10_000, 250


def ours(dataset, evaluator, seed):
    """Return a function that does one step of the default preset, and a function that draws samples."""
    preset = presets.PRESETS[DEFAULT]
    training = presets.build(preset, dataset.images.shape[1:], seed, dataset.classes)
    batches = data.Batches(dataset, preset.batch_size, seed, preset.n_critic, preset.conditional)

    def step():
        if int(training.steps[0]) % batches.steps_per_epoch == 0:
            batches.start_epoch(int(training.steps[0]) // batches.steps_per_epoch)
        training.step(batches)

    return step, lambda: evaluator.draw(training)[0]


class Tutorial(TorchGAN):
    """The DCGAN of Radford et al. 2016 and of PyTorch's tutorial, with the networks of a preset of tinygan.

    Weights start as N(0, 0.02). Adam has the learning rate 2e-4 and the betas (0.5, 0.999). Batches of 128 have a new
    order in each epoch. Samples are drawn in train mode. D gets no real images with wrong labels.
    """

    def __init__(self, preset, dataset, seed):
        torch.manual_seed(seed)
        torch.set_num_threads(threads.THREADS)
        images, labels = dataset.images.copy(), dataset.labels.copy()  # PyTorch needs writable arrays
        super().__init__(preset, images, 128, labels=labels)
        self.wrong_labels = 0.0
        for module in (*self.G.modules(), *self.D.modules()):
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)
            elif hasattr(module, "weight"):
                nn.init.normal_(module.weight, 0.0, 0.02)
        for optimizer in (self.G_optimizer, self.D_optimizer):
            optimizer.param_groups[0]["lr"] = 2e-4

    def batch(self):
        if self.position + self.batch_size > len(self.order):
            self.order, self.position = torch.randperm(len(self.order)), torch.zeros_like(self.position)
        index = self.order[self.position + self.within_batch]
        self.position += self.batch_size
        self.labels = self.one_hot[index] if self.classes else None
        return self.images[index].float() / 127.5 - 1

    def sample(self):
        self.labels = self.one_hot[:BATCH] if self.classes else None  # the classes of real images
        with torch.no_grad():
            parts = [self.generate(torch.randn(BATCH, self.latent)) for _ in range(SAMPLES // BATCH)]
        return data.to_pixels(torch.cat(parts).permute(0, 2, 3, 1).numpy())


def contest(minutes, seed, dataset, evaluator):
    """Train the sides in turns of a minute. Return {side: [[seconds, steps, distance] after each minute]}."""
    sides = {OURS: ours(dataset, evaluator, seed)}
    for name, preset in ((THEIRS, "dcgan"), (LABELLED, "cgan")):
        theirs = Tutorial(preset, dataset, seed)
        sides[name] = theirs.step, theirs.sample
    curves = {name: [[0.0, 0, None]] for name in sides}
    for minute in range(minutes):
        for name, (step, sample) in sides.items():
            seconds, steps, _ = curves[name][-1]
            while seconds < 60 * (minute + 1):
                started = time.perf_counter()
                step()
                seconds, steps = seconds + time.perf_counter() - started, steps + 1
            curves[name].append([round(seconds, 1), steps, float(evaluator.distance(sample()))])
            print(
                f"seed {seed}, {name}: {seconds:.0f} s, {steps} steps, distance {curves[name][-1][2]:.3f}", flush=True
            )
    return {name: curve[1:] for name, curve in curves.items()}


def draw(contests, floor, path):
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, color in SIDES.items():
        for seed, curves in contests.items():
            seconds, _, distances = np.array(curves[name]).T
            label = name if seed == min(contests) else None
            axes.semilogy(seconds / 60, distances, "o-", color=color, markersize=3, label=label)
    axes.axhline(floor, color="grey", linestyle=":", label="training images")
    axes.set(xlabel="minutes of training", ylabel="Frechet distance from the test images", ylim=(floor / 2, None))
    axes.legend()
    figure.savefig(path, dpi=100)


def table(contests, floor):
    lines = [
        "| seed | | steps | Frechet distance | times the floor | times tinygan's distance |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for seed, curves in contests.items():
        for name in SIDES:
            seconds, steps, distance = curves[name][-1]
            ratio = distance / curves[OURS][-1][2]
            lines.append(f"| {seed} | {name} | {steps} | {distance:.2f} | {distance / floor:.1f} | **{ratio:.1f}** |")
    where = f"Each GAN was trained for {seconds / 60:.0f} minutes on {threads.THREADS} threads. {describe()}."
    return "\n".join(lines) + f"\n\n{where} Written by `bench/quality.py`.\n"


def main():
    start_again()
    backend.tune()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10, help="minutes of training for each side (default: 10)")
    parser.add_argument("--seeds", nargs="+", type=int, help="default: 0; with --write 0 1")
    parser.add_argument("--write", action="store_true", help="write to bench/results and the README")
    args = parser.parse_args()
    seeds = args.seeds or ([0, 1] if args.write else [0])
    dataset, evaluator = data.load(), metrics.Evaluator(None, SAMPLES)
    floor = float(evaluator.distance(evaluator.real.images))
    contests = {seed: contest(args.minutes, seed, dataset, evaluator) for seed in seeds}
    text = table(contests, floor)
    print(text)
    if args.write:
        results = ROOT / "bench/results"
        record = {"machine": describe(), "threads": threads.THREADS, "floor": floor, "contests": contests}
        (results / "quality.json").write_text(json.dumps(record, indent=1) + "\n")
        draw(contests, floor, results / "quality.png")
        readme.write("peer", text)


if __name__ == "__main__":
    main()
