"""Tests that need a real GPU: pytest --device cuda tests/test_on_gpu.py. The rest of the suite runs on a GPU too.

A replayed graph writes to the memory that it used when it was captured. If this memory was freed, other arrays may use
it now, and the replay would overwrite them. So a test makes arrays between replays, and checks them afterwards.
"""

import json

import numpy as np
import pytest
from commands import device, lines, sample, train

from tinygan import backend
from tinygan.data import Batches, Dataset
from tinygan.gan import presets
from tinygan.gan.presets import PRESETS

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        backend.device == "cpu" or not hasattr(backend.xp, "__version__"), reason="needs a GPU and --device cuda"
    ),
]
CLASSES = 10


def make(name, batch_size=16, size=28):
    preset = PRESETS[name]._replace(batch_size=batch_size)
    pictures = np.random.default_rng(0).integers(0, 256, (8000, size, size, 1)).astype("uint8")
    dataset = Dataset(pictures, (np.arange(8000) % CLASSES).astype("uint8"), "random")
    batches = Batches(dataset, batch_size, 0, preset.n_critic, preset.conditional)
    batches.start_epoch(0)
    return presets.build(preset, pictures.shape[1:], 0, CLASSES), batches


def state(*parts):
    return {name: backend.to_host(a).copy() for part in parts for name, a in part.state_dict().items()}


def differences(ours, theirs):
    assert ours.keys() == theirs.keys()
    return [key for key in ours if not np.array_equal(ours[key], theirs[key])]


@pytest.fixture(params=[False, True], ids=["float32", "tf32"])
def tf32(request):
    backend.tf32(request.param)
    yield request.param
    backend.tf32(False)


SHAPES = [(6272, 1024, 128), (128, 6272, 1), (1024, 6272, 128), (128, 100, 6272), (3, 5, 7), (1, 1, 1)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m, k, n", SHAPES)
def test_a_captured_matrix_product_equals_the_eager_product_and_numpys(m, k, n, dtype, tf32):
    rng = backend.RNG(0)
    a, b = rng.normal((k, m), dtype).T, rng.normal((n, k), dtype).T
    eager, y = backend.matmul(a, b), backend.xp.zeros((m, n), dtype)

    def step():
        y[...] = backend.matmul(a, b)

    captured = backend.capture(step)
    for _ in range(5):
        y[...] = 0
        captured()
        assert (backend.to_host(y) == backend.to_host(eager)).all()
    exact = backend.to_host(a).astype("float64") @ backend.to_host(b).astype("float64")
    error = np.linalg.norm(backend.to_host(y) - exact) / np.linalg.norm(exact)
    assert error < (1e-13 if dtype == "float64" else 2e-3 if tf32 else 3e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_fifty_captured_steps_equal_eager_steps_to_the_bit(name, tf32):
    (eager, eager_batches), (captured, captured_batches) = make(name), make(name)
    step = backend.capture(lambda: captured.step(captured_batches))
    for i in range(50):
        if i == 25:
            eager_batches.start_epoch(1)
            captured_batches.start_epoch(1)
        eager.step(eager_batches)
        step()
    assert not differences(state(captured, captured_batches), state(eager, eager_batches))


def test_random_numbers_differ_between_replays_and_continue_from_a_saved_state():
    def draws(rng, steps):
        y, seen = backend.xp.zeros(1000, "float32"), []

        def step():
            y[...] = rng.normal((1000,))

        captured = backend.capture(step)
        for _ in range(steps):
            captured()
            seen.append(backend.to_host(y).copy())
        return seen

    through = draws(backend.RNG(3), 10)
    assert len({y.tobytes() for y in through}) == 10
    first, second = backend.RNG(3), backend.RNG(4)
    before = draws(first, 5)
    second.load_state_dict(state(first))
    assert [y.tobytes() for y in before + draws(second, 5)] == [y.tobytes() for y in through]


@pytest.mark.parametrize("name", ["vanilla", "dcgan", "wgan-gp"])
def test_other_work_between_a_thousand_replays_changes_nothing(name):
    (alone, alone_batches), (disturbed, disturbed_batches) = make(name, size=8), make(name, size=8)
    one = backend.capture(lambda: alone.step(alone_batches))
    other = backend.capture(lambda: disturbed.step(disturbed_batches))
    rng, kept = np.random.default_rng(0), []
    for i in range(1000):
        if i % alone_batches.steps_per_epoch == 0:
            alone_batches.start_epoch(i)
            disturbed_batches.start_epoch(i)
        one()
        kept.append(backend.xp.full(int(rng.integers(1, 1 << 20)), float("nan"), "float32"))
        other()
        kept = kept[-8:]
        if i % 100 == 50:
            disturbed.sample(backend.RNG(1).normal((40, PRESETS[name].latent_size)))
            backend.xp.get_default_memory_pool().free_all_blocks()
    ours, theirs = state(disturbed, disturbed_batches), state(alone, alone_batches)
    assert not differences(ours, theirs)
    assert all(np.isfinite(a).all() for a in ours.values() if a.dtype.kind == "f")
    assert all(bool(backend.xp.isnan(a).all()) for a in kept)  # no replay has written into other arrays


def test_a_captured_step_frees_its_memory_when_it_is_deleted():
    x = backend.xp.ones(1 << 18, "float32")
    y = backend.xp.zeros_like(x)
    step = backend.capture(lambda: y.__setitem__(..., backend.xp.exp(x) * x))
    for _ in range(4):
        step()
    pool = step.pool
    assert pool.total_bytes() >= x.nbytes
    del step
    assert pool.total_bytes() == 0


def test_a_capture_during_which_memory_was_allocated_is_repeated():
    from tinygan.backend.cuda import graph

    total, done, kept = backend.xp.zeros(1), [], []

    def step():
        done.append("call")
        if len(done) == graph.WARM_UP + 1:
            kept.append(backend.xp.empty(1 << 20))
        total[...] += 1

    captured = backend.capture(step)
    for i, calls in enumerate([1, 2, 4, 5, 5], start=1):
        captured()
        assert (total.tolist(), len(done)) == ([i], calls)


@pytest.mark.parametrize("kernel, stride, padding", [((4, 4), (2, 2), (1, 1)), ((3, 2), (2, 1), (1, 0))])
@pytest.mark.parametrize("channels", [1, 3, 8])
def test_patches_and_their_sums_equal_numpys(channels, kernel, stride, padding):
    from tinygan.backend import cpu, cuda, patches

    x = np.random.default_rng(0).standard_normal((5, 14, 13, channels)).astype("float32")
    columns = backend.to_host(cuda.im2col(backend.to_device(x), kernel, stride, padding))
    image = backend.to_host(cuda.kernels.col2im(backend.to_device(columns), x.shape, kernel, stride, padding))
    np.testing.assert_array_equal(columns, cpu.im2col(x, kernel, stride, padding))
    # filter i has a 1 at number i of a patch, and 0 elsewhere
    each = np.eye(columns.shape[1], dtype="float32").reshape(*kernel, channels, -1)
    responses = columns.reshape(5, *patches.patch_grid(x.shape[1:3], kernel, stride, padding), -1)
    added = cpu.conv_transpose2d(responses, each, x.shape[1:3], stride, padding)
    np.testing.assert_allclose(image, added, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("words", [(), ("--no-graph",)], ids=["captured", "eager"])
def test_a_run_trains_resumes_and_samples_on_this_device(words, tiny, tmp_path):
    folder = tmp_path / "r"
    done = train("--data", tiny, "--batch-size", 4, "--max-steps", 10, "--out", folder, *words)
    assert done.returncode == 0, done.stderr
    done = train("--resume", folder, "--max-steps", 20, *words)
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "config.json").read_text())["device"] == device()
    assert [row[0] for row in lines(folder / "log.csv")] == ["step", "10", "20"]
    done = sample(folder, "--n", 5, "--out", tmp_path / "a.npz")
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "a.npz")["images"].shape == (5, 8, 8)
