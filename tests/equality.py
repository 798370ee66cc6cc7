"""mpiexec -n N python equality.py DEVICE DTYPE STEPS CASE...: train on N processes, then as one, and compare.

Process 0 prints a line of JSON for each case: the relative difference of each network's weights, and of the metrics;
and whether all processes end with the same bits. DEVICE: cpu, or standin, which is CUDA without a GPU.
In float32 also how much one process differs from itself, if its initial weights change in the last bit ("rounding").
"""

import functools
import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from tinygan import backend, data
from tinygan.backend import distributed
from tinygan.gan import presets
from tinygan.gan.health import METRICS
from tinygan.gan.presets import PRESETS
from tinygan.layers import Module

SHAPE, BATCH, CLASSES = (8, 8, 1), 8, 3
CHANGES = 12  # how often the initial weights are changed, to see what rounding can do
PARTS = "generator.", "discriminator.", "ema.", "history"
CASES = {  # the seven presets, and what none of them has
    **{name: (name, {}) for name in PRESETS},
    "dropout": ("vanilla", {"dropout": 0.3}),
    "augment": ("sngan", {"augment": 0.7}),
    "spectral wgan-gp": ("wgan-gp", {"spectral_norm": True, "n_critic": 2}),
    "ring": ("r3gan", {}),
}


def dataset(points):
    if points:
        return data.toy.load("ring")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, *SHAPE), dtype=np.uint8)
    return data.Dataset(images, np.arange(200) % CLASSES, "noise")


def train(case, steps, changed=None):
    """Train for some steps. changed: the seed of a change of the initial weights in their last bit, or None."""
    name, changes = CASES[case]
    images = dataset(case == "ring")
    shape = images.images.shape[1:]
    changes = {"ema": 1000.0, **changes, "batch_size": BATCH, "steps": 100}
    preset = presets.for_data(PRESETS[name], shape)._replace(**changes)
    training = presets.build(preset, shape, seed=1, classes=images.classes)
    batches = data.Batches(images, BATCH, 1, preset.n_critic, preset.conditional)
    if changed is not None:
        rng = np.random.default_rng(changed)
        for network in (training.gan.G, training.gan.D):
            network.flat.data *= backend.to_device(1 + 6e-8 * rng.standard_normal(network.flat.data.shape, "float32"))
    one_step = backend.capture(functools.partial(training.step, batches))
    for step in range(steps):
        if step % batches.steps_per_epoch == 0:
            batches.start_epoch(step // batches.steps_per_epoch)
        one_step()
    return training


def state(training):
    return {name: backend.to_host(array).copy() for name, array in training.state_dict().items()}


def without_the_shift(state, training):
    """The state without the bias of D's last layer and D's mean outputs, if the loss uses only differences of logits.

    The derivative of that bias is zero. Computed, it is a rounding error, and Adam divides it by its own size: the bias
    takes steps of the learning rate in a random direction. Neither the loss nor any other weight depends on it.
    """
    if training.gan.loss.threshold is not None:
        return state
    bias = [name for name in state if name.startswith("discriminator.") and name.endswith(".bias")][-1]
    outputs = [i for i, name in enumerate(METRICS) if name in ("d_real", "d_fake", "d_fake_after")]
    others = {name: array for name, array in state.items() if name != bias}
    return {**others, "history": np.delete(state["history"], outputs, axis=1)}


def difference(a, b, prefix):
    """|a - b| / |b| over all arrays whose names begin so"""
    names = [name for name in b if name.startswith(prefix)]
    ends = [np.concatenate([np.ravel(x[name]).astype("float64") for name in names]) for x in (a, b)]
    return float(np.linalg.norm(ends[0] - ends[1]) / np.linalg.norm(ends[1]))


def in_double_precision():
    """Let networks, batches and random numbers have float64; the numbers that are drawn are the same."""
    Module.flatten.__defaults__ = ("float64",)
    single = backend.RNG

    class Double(single):
        def normal(self, shape, dtype="float32"):
            return super().normal(shape, "float32").astype("float64")

        def uniform(self, shape, dtype="float32"):
            return super().uniform(shape, "float32").astype("float64")

    backend.RNG, take = Double, data.Batches.take
    data.Batches.take = lambda self, n: [tuple(x.astype("float64") for x in batch) for batch in take(self, n)]


def start(device):
    distributed.start()
    if device == "standin":
        sys.path.insert(0, str(Path(__file__).parent / "standin"))
        import cupy_standin
        import nccl_on_mpi

        cupy_standin.install()
        nccl_on_mpi.install()
    backend.use("cuda" if device == "standin" else device)
    backend.tune(1)


def main(device, dtype, steps, *cases):
    start(device)
    if dtype == "float64":
        in_double_precision()
    for case in cases or CASES:
        training = train(case, int(steps))
        ours, compared = state(training), functools.partial(without_the_shift, training=training)
        digests = distributed.gathered({k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in ours.items()})
        if distributed.rank == 0:
            with distributed.alone():
                one = state(train(case, int(steps)))
                others = [state(train(case, int(steps), seed)) for seed in range(CHANGES * (dtype == "float32"))]
            ours, one, *others = map(compared, (ours, one, *others))
            row = {part: difference(ours, one, part) for part in PARTS}
            row["rounding"] = {part: max([0, *(difference(other, one, part) for other in others)]) for part in PARTS}
            same = all(digest == digests[0] for digest in digests)
            print(json.dumps({"case": case, "processes": len(digests), "same": same, **row}), flush=True)
    distributed.finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
