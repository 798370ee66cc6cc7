"""On the stand-in for CuPy, a training step never waits for the device, and gives the same bits when it is captured.

The graph of a captured step has few nodes. Run with pytest --device standin. In the ordinary suite,
test_cupy_standin.py runs this file.
"""

import cupy_rules
import cupy_standin
import numpy as np
import pytest
from commands import ROOT

from tinygan import backend
from tinygan.data import Batches, Dataset, toy
from tinygan.gan import presets
from tinygan.gan.presets import PRESETS

pytestmark = pytest.mark.skipif(
    backend.device == "cpu" or hasattr(backend.xp, "__version__"), reason="needs --device standin"
)
CLASSES = 10
CASES = [*PRESETS, "cgan with augmentation"]


NODES = {  # the most nodes that a captured step may have, for batches of 64 images of 28 x 28 pixels
    "vanilla": 134, "lsgan": 138, "dcgan": 194, "cgan": 465, "sngan": 418, "wgan-gp": 780, "r3gan": 252,
}  # fmt: skip


def make(name, size=8, **changes):
    """Return the Training of a preset on random pictures, and its Batches."""
    preset = PRESETS[name.split()[0]]._replace(augment=0.5 if "augmentation" in name else 0.0, **changes)
    pictures = np.random.default_rng(0).integers(0, 256, (1300, size, size, 1)).astype("uint8")
    dataset = Dataset(pictures, (np.arange(1300) % CLASSES).astype("uint8"), "random")
    batches = Batches(dataset, changes.get("batch_size", 4), 0, preset.n_critic, preset.conditional)
    batches.start_epoch(0)
    return presets.build(preset, pictures.shape[1:], 0, CLASSES), batches


def state(*parts):
    return {name: backend.to_host(a) for part in parts for name, a in part.state_dict().items()}


def differences(ours, theirs):
    assert ours.keys() == theirs.keys()
    return [key for key in ours if not np.array_equal(ours[key], theirs[key])]


@pytest.mark.parametrize("name", CASES)
def test_no_array_of_a_step_is_float64(name, monkeypatch):
    """The test records the dtype of every array that the step makes, also in optimisers, statistics and metrics."""
    training, batches = make(name)
    made, make_array = set(), cupy_rules.ndarray.__init__

    def watched(self, array):
        make_array(self, array)
        made.add(str(self.dtype))

    monkeypatch.setattr(cupy_rules.ndarray, "__init__", watched)
    training.step(batches)
    assert "float32" in made and "float64" not in made


@pytest.mark.parametrize("name", CASES)
def test_a_step_neither_waits_for_the_device_nor_transfers_arrays(name):
    training, batches = make(name)
    training.step(batches)
    before = cupy_standin.counts.copy()
    training.step(batches)
    assert not cupy_standin.counts - before


def test_the_report_of_a_training_stays_on_the_device_until_it_is_read():
    training, batches = make("vanilla")
    training.step(batches)
    before = cupy_standin.counts.copy()
    report = training.report()
    assert not cupy_standin.counts - before
    assert backend.to_host(report)[-1] == 1.0


@pytest.mark.parametrize("name", CASES)
def test_captured_steps_equal_eager_steps_to_the_bit(name):
    """The test does more steps than the history has rows. Between replays it starts an epoch and draws samples."""
    (eager, eager_batches), (captured, captured_batches) = make(name), make(name)
    step = backend.capture(lambda: captured.step(captured_batches))
    for i in range(12):
        eager.step(eager_batches)
        step()
        if i == 5:
            latent = backend.RNG(1).normal((3, eager.gan.latent_size))
            for training, batches in ((eager, eager_batches), (captured, captured_batches)):
                batches.start_epoch(1)
                training.sample(latent)
    before = state(captured, captured_batches)
    assert not differences(before, state(eager, eager_batches))
    step()
    changed = differences(before, state(captured, captured_batches))
    assert {"generator_optimizer.t", "rng.draws", "position"} <= set(changed)  # the replay has done a step


@pytest.mark.parametrize("name", CASES)
def test_a_resumed_run_that_captures_again_equals_one_that_never_stopped(name):
    (through, batches), (first, first_batches), (second, second_batches) = make(name), make(name), make(name)
    for _ in range(8):
        through.step(batches)
    step = backend.capture(lambda: first.step(first_batches))
    for _ in range(4):
        step()
    second.load_state_dict({key: array.copy() for key, array in state(first).items()})
    second_batches.load_state_dict({key: array.copy() for key, array in state(first_batches).items()})
    step = backend.capture(lambda: second.step(second_batches))
    for _ in range(4):
        step()
    assert not differences(state(second, second_batches), state(through, batches))


@pytest.mark.parametrize("name", PRESETS)
def test_a_captured_step_has_few_nodes(name):
    """On a GPU, each node costs one or two microseconds, even with a very small kernel."""
    training, batches = make(name, 28, batch_size=64)
    step = backend.capture(lambda: training.step(batches))
    step()  # makes the constants, before the capture
    graph = step.record()
    assert len(graph._tape.operations) <= NODES[name]


def test_bench_nodes_counts_nodes_and_their_longest_chain(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import nodes

    training, batches = make("dcgan", 28, batch_size=4)
    step = backend.capture(lambda: training.step(batches))
    step()
    counted, size = nodes.count("dcgan", 4)
    assert counted.total() == len(step.record()._tape.operations)
    assert size.keys() == counted.keys() and min(size.values()) > 0
    assert counted.total() / 3 < nodes.longest_chain("dcgan") < counted.total()


def test_captured_steps_on_a_toy_world_equal_eager_steps():
    preset = presets.for_data(PRESETS["r3gan"], (2,))._replace(batch_size=8)
    pair = []
    for _ in range(2):
        batches = Batches(toy.load("ring"), 8, 0)
        batches.start_epoch(0)
        pair.append((presets.build(preset, (2,), 0), batches))
    (eager, eager_batches), (captured, captured_batches) = pair
    step = backend.capture(lambda: captured.step(captured_batches))
    for _ in range(5):
        eager.step(eager_batches)
        step()
    assert not differences(state(captured, captured_batches), state(eager, eager_batches))
