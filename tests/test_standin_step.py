"""The training step on the stand-in: it asks nothing of the host, and its replay is the step, to the bit.

pytest --device standin; test_cupy_standin.py sees to that.
"""

import cupy_names
import cupy_standin
import numpy as np
import pytest

from tinygan import backend, presets
from tinygan.data import Batches, Dataset
from tinygan.presets import PRESETS

pytestmark = pytest.mark.skipif(
    backend.device == "cpu" or hasattr(backend.xp, "__version__"), reason="needs --device standin"
)
CLASSES = 10


def make(name):
    """A training on random pictures, and its batches."""
    preset = PRESETS[name]
    pictures = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 1)).astype("uint8")
    dataset = Dataset(pictures, (np.arange(200) % CLASSES).astype("uint8"), "random")
    batches = Batches(dataset, 4, 0, preset.n_critic, preset.conditional)
    batches.start_epoch(0)
    return presets.build(preset, pictures.shape[1:], 0, CLASSES), batches


def state(*parts):
    return {name: backend.to_host(a) for part in parts for name, a in part.state_dict().items()}


@pytest.mark.parametrize("name", PRESETS)
def test_a_step_neither_waits_for_the_device_nor_moves_anything_to_it(name):
    training, batches = make(name)
    training.step(batches)
    before = cupy_standin.counts.copy()
    training.step(batches)
    assert not cupy_standin.counts - before


@pytest.mark.parametrize("name", PRESETS)
def test_a_captured_step_replayed_is_the_step(name, monkeypatch):
    # whether a product can be captured is a matter of matmul; this is about everything else
    monkeypatch.setattr(cupy_names, "CUBLAS", set())
    (eager, eager_batches), (captured, captured_batches) = make(name), make(name)
    eager.step(eager_batches)
    captured.step(captured_batches)
    with backend.xp.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        try:
            captured.step(captured_batches)
        finally:
            graph = stream.end_capture()
    for _ in range(3):
        eager.step(eager_batches)
        graph.launch()
    ours, theirs = state(captured, captured_batches), state(eager, eager_batches)
    assert ours.keys() == theirs.keys()
    assert not [key for key in ours if not np.array_equal(ours[key], theirs[key])]
