"""Compare training on N processes with training on one process.

    mpiexec -n N python tests/equality.py DEVICE DTYPE WARM STEPS CASE...

DEVICE: cpu, or standin (the code for CUDA on a stand-in for CuPy). DTYPE: float32 or float64. WARM: numbers of steps,
such as 0 or 100,120,140. For each number, one process first does this many steps. From the state after them, N
processes do STEPS steps, and one process does the same steps. CASE: names in CASES; by default all.

For each case and each number in WARM, process 0 prints a line of JSON: the relative differences of weights and metrics
between N processes and one, and whether all processes end with the same bits. In float32, "rounding" shows the effect
of the last bits: one process repeats its steps from weights with changed last bits, and the largest differences count.
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
CHANGES = 12  # the number of runs for "rounding"
PARTS = "generator", "discriminator", "shifts", "ema", "history"
CASES = {  # name: (preset, changes of its options). The seven presets, then options and data that no preset uses
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


def build(case):
    name, changes = CASES[case]
    images = dataset(case == "ring")
    shape = images.images.shape[1:]
    changes = {"ema": 1000.0, **changes, "batch_size": BATCH, "steps": 1000}
    preset = presets.for_data(PRESETS[name], shape)._replace(**changes)
    training = presets.build(preset, shape, seed=1, classes=images.classes)
    return training, data.Batches(images, BATCH, 1, preset.n_critic, preset.conditional)


def train(case, steps, begin=None, changed=None):
    """Do some training steps. Return copies of the states of the training and of the batches.

    begin: the states to start from, or None for a new training. changed: None, or the seed of random changes of the
    weights in their last bit, before the first step.
    """
    parts = training, batches = build(case)
    if begin:
        for part, saved in zip(parts, begin):
            part.load_state_dict(saved)
    if changed is not None:
        rng = np.random.default_rng(changed)
        for network in (training.gan.G, training.gan.D):
            network.flat.data *= backend.to_device(1 + 6e-8 * rng.standard_normal(network.flat.data.shape, "float32"))
    one_step, first = backend.capture(functools.partial(training.step, batches)), int(training.steps[0])
    for step in range(first, first + steps):
        if step % batches.steps_per_epoch == 0:
            batches.start_epoch(step // batches.steps_per_epoch)
        one_step()
    return tuple({k: backend.to_host(array).copy() for k, array in part.state_dict().items()} for part in parts)


def differences(a, b, only_differences):
    """Return {part: |a - b| / |b|} for two states of a training, a and b. PARTS has the names of the parts.

    only_differences: whether the loss uses only differences between logits. Then the loss does not depend on a bias
    of D that changes all logits by the same amount. The bias of the last layer is an example. The exact gradient of
    such a bias is zero, so the computed gradient is only a rounding error. Adam divides this error by its own size, so
    the bias takes random steps as large as the learning rate. So the last bias and D's mean outputs are not compared.
    The other biases of D can have the same problem, so they are compared as a separate part, "shifts".
    """
    weights = {name: array.astype("float64") - b[name] for name, array in a.items() if array.dtype.kind == "f"}
    biases = [n for n in b if n.startswith("discriminator.") and n.endswith(".bias")] if only_differences else []
    outputs = [i for i, name in enumerate(METRICS) if name in ("d_real", "d_fake", "d_fake_after")]
    if only_differences:
        weights["history"] = np.delete(weights["history"], outputs, axis=1)
        del weights[biases[-1]]

    def norm(arrays, names):
        return float(np.sqrt(sum((arrays[name].astype("float64") ** 2).sum() for name in names if name in arrays)))

    found = {}
    for part in PARTS:
        network = [n for n in b if n == part or n.startswith({"shifts": "discriminator"}.get(part, part) + ".")]
        names = biases if part == "shifts" else [name for name in network if name not in biases]
        found[part] = norm(weights, names) / norm(b, network)
    return found


def in_double_precision():
    """Make networks, batches and random numbers float64. Random numbers are drawn in float32 and then converted."""
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


def main(device, dtype, warm, steps, *cases):
    start(device)
    if dtype == "float64":
        in_double_precision()
    for case in cases or CASES:
        begin, only_differences = None, build(case)[0].gan.loss.threshold is None
        for before in map(int, warm.split(",")):
            if before:  # all processes start from a state of process 0
                with distributed.alone():
                    begin = train(case, before - (int(begin[0]["steps"][0]) if begin else 0), begin)
            begin = distributed.gathered(begin)[0]
            # after warm-up steps, only "shifts" is compared with "rounding", and two runs are enough
            changes = 2 * only_differences if before else CHANGES
            row = compare(case, int(steps), begin, only_differences, changes if dtype == "float32" else 0)
            if distributed.rank == 0:
                print(json.dumps({"case": case, "warm": before, **row}), flush=True)
    distributed.finish()


def compare(case, steps, begin, only_differences, changes):
    """Train on all processes and on one. On process 0, return the differences.

    changes: the number of runs for "rounding".
    """
    ours = train(case, steps, begin)[0]
    digests = distributed.gathered({k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in ours.items()})
    row = {"processes": len(digests), "same": all(digest == digests[0] for digest in digests)}
    if distributed.rank == 0:
        with distributed.alone():
            one = train(case, steps, begin)[0]
            others = [train(case, steps, begin, seed)[0] for seed in range(changes)]
        row |= differences(ours, one, only_differences)
        apart = [differences(other, one, only_differences) for other in others]
        row["rounding"] = {part: max([0, *(each[part] for each in apart)]) for part in PARTS}
    return row


if __name__ == "__main__":
    main(*sys.argv[1:])
