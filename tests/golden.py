"""Golden numbers: what three training steps compute, for each preset and for options that no preset uses.

    python tests/golden.py DTYPE              print the numbers, as JSON
    python tests/golden.py float64 --write    replace golden.json, after a change that is meant to change results

For each case: the metrics of each step, and two numbers for each array of G, D and the EMA after the last step: its
norm, and its product with a fixed vector. In float64 they are the same on every machine, to about nine digits.
"""

import json
import sys
from pathlib import Path

import numpy as np
from equality import BATCH, dataset, in_double_precision

from tinygan import backend, data
from tinygan.gan import presets
from tinygan.gan.presets import PRESETS

FILE = Path(__file__).with_suffix(".json")
STEPS = 3
CASES = {  # name: (preset, changes of its options)
    **{name: (name, {}) for name in PRESETS},
    "ring": ("r3gan", {}),
    "ring, vanilla": ("vanilla", {}),
    "dropout": ("vanilla", {"dropout": 0.3}),
    "augment": ("sngan", {"augment": 0.7}),
    "spectral wgan-gp": ("wgan-gp", {"spectral_norm": True, "n_critic": 2}),
    "r1": ("sngan", {"penalty": "r1", "penalty_weight": 1.0, "spectral_norm": False}),
    "two updates of D": ("cgan", {"n_critic": 2}),
    "saturating": ("dcgan", {"saturating": True, "real_label": 0.9}),
    "smoothed lsgan": ("lsgan", {"real_label": 0.9}),
    "labels without wrong ones": ("cgan", {"wrong_labels": 0.0}),
    "without EMA": ("dcgan", {"ema": 0.0}),
}


def build(name, changes, points):
    """Return the Training of a preset with changes, and its batches."""
    images = dataset(points)
    shape = images.images.shape[1:]
    changes = {"ema": 1000.0, **changes, "batch_size": BATCH, "steps": 1000}
    preset = presets.for_data(PRESETS[name], shape)._replace(**changes)
    batches = data.Batches(images, BATCH, 1, preset.n_critic, preset.conditional)
    return presets.build(preset, shape, seed=1, classes=images.classes), batches


def numbers(case):
    """Train for a few steps. Return {"metrics": a row for each step, "arrays": {name: [norm, product]}}."""
    name, changes = CASES[case]
    training, batches = build(name, changes, points=case.startswith("ring"))
    batches.start_epoch(0)
    for _ in range(STEPS):
        training.step(batches)
    state = {k: backend.to_host(a).astype("float64").reshape(-1) for k, a in training.state_dict().items()}
    weights = {k: a for k, a in state.items() if k.startswith(("generator.", "discriminator.", "ema."))}
    return {
        "metrics": rounded(backend.to_host(training.history)[:STEPS].tolist()),
        "arrays": {k: rounded([np.sqrt(a @ a), a @ np.cos(np.arange(len(a)))]) for k, a in weights.items()},
    }


def rounded(values):
    return [rounded(v) if isinstance(v, list) else float(f"{v:.11g}") for v in values]


def main(dtype, *write):
    backend.tune(1)
    if dtype == "float64":
        in_double_precision()
    found = {case: numbers(case) for case in CASES}
    if write:
        cases = (f"{json.dumps(case)}: {json.dumps(values)}" for case, values in found.items())
        FILE.write_text("{" + ",\n".join(cases) + "}\n")
    else:
        print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
