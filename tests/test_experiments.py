"""bench/experiments.py trains the default preset with each of CHANGES, and measures it."""

import math
import sys

import numpy as np
import pytest
from commands import ROOT
from idx_files import idx, write

from tinygan import backend, check_grads
from tinygan.autograd import PRIMITIVES
from tinygan.metrics import classifier

sys.path.insert(0, str(ROOT / "bench"))
import experiments

PRIMITIVES.pop("moved")  # a primitive of the script. The last test checks it; test_gradients.py has no case for it

CHANGES = [
    "",
    "--g-labels norm",
    "--d-labels projection --minibatch-deviation",
    "--translate 2 --augment 0.5",
    "--g-depth 1 --g-fine 1 --depth 0 --dropout 0.1",
    "--wrong-labels 0 --lr-ratio 2 --no-decay",
    "--groups 2 --images 60",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write bright and dark images. The classifier that the metrics train on them is stored in the same folder."""
    if backend.device != "cpu":
        pytest.skip("bench/experiments.py trains on the CPU")
    folder = tmp_path_factory.mktemp("bright")
    kinds = np.arange(72) % 2
    images = np.random.default_rng(0).integers(0, 100, (72, 8, 8)) + 150 * kinds[:, None, None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setattr(classifier, "LEAST_STEPS", 12)
        patch.setattr(classifier, "EPOCHS", 1)
        yield write(folder, train_images=idx(images), train_labels=idx(kinds))


@pytest.mark.parametrize("change", CHANGES)
def test_the_preset_is_trained_with_a_change_and_measured(change, folder):
    words = [*change.split(), "--data", str(folder), "--steps", "2", "--batch-size", "6"]
    row = experiments.measured(words)
    assert row["command"] == " ".join(words)
    assert math.isfinite(row["multiple"]) and 0 <= row["coverage"] <= 1
    assert (row["agreement"] is None) == ("--groups" in change)


def test_lr_ratio_scales_the_whole_schedule_of_ds_learning_rate(folder):
    args = experiments.options(["--lr-ratio", "2", "--data", str(folder), "--steps", "4"])
    training = experiments.build(args, experiments.data.load(folder), ())
    of_G, of_D = training.schedules
    assert of_D == (training.D_optimizer.lr, 2 * of_G[1], 2 * of_G[2]) and of_G[1] > 0


def test_the_derivative_of_moved_images_is_right():
    down, right = backend.to_device(np.array([1, -2])), backend.to_device(np.array([0, 3]))
    images = np.random.default_rng(0).standard_normal((2, 4, 3, 2))
    check_grads(lambda x: experiments.moved(x, down=down, right=right), [images])
