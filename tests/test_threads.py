"""Computing in blocks, with several threads, gives the results of plain NumPy. The number of threads changes no bit."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from commands import checkpoint, run

from tinygan import Tensor, backend
from tinygan.backend.cpu import threads
from tinygan.gan import presets
from tinygan.layers import Dropout, Sequential

pytestmark = [pytest.mark.skipif(backend.device != "cpu", reason="for the CPU"), pytest.mark.usefixtures("kernels")]
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def default_threads():
    yield
    backend.tune()


def r(*shape):
    return RNG.standard_normal(shape, dtype="float32")


def chain(x, y, scale):
    return np.maximum(x * scale, y) - y * 0.5


fused = backend.fuse(chain)
SHAPES = [(300, 14, 14, 64), (70_001,), (5,), (), (3, 0), (1025, 3), (7, 1), (2048, 100)]
CONVOLUTIONS = [((37, 14, 14, 8), (4, 4, 8, 16), (2, 2), (1, 1)), ((2, 5, 7, 1), (3, 2, 1, 4), (1, 3), (0, 2))]


@pytest.fixture(params=[1, 2, 5])
def some_threads(request):
    backend.tune(request.param)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_fused_function_equals_the_plain_function(shape, some_threads):
    x, y = r(*shape), r(*shape)
    scales = [0.3, r(1), r(shape[-1])] if len(shape) > 1 and x.size else [0.3]
    for scale in scales:
        assert np.array_equal(fused(x, y, scale), chain(x, y, scale))


@pytest.mark.parametrize("shape", [(3, 4), (300, 14, 14, 64)], ids=str)
def test_the_result_of_a_fused_function_is_no_view_of_its_argument(shape):
    x = r(*shape)
    same = backend.fuse(lambda x: x)(x)
    assert np.array_equal(same, x) and not np.may_share_memory(same, x)


def test_a_fused_function_takes_views_and_can_write_to_an_argument():
    x, y = r(64, 1000).T, r(1000, 64)
    expected = chain(x, y, 2.0)
    assert np.array_equal(fused(x, y, 2.0), expected)
    assert fused(x, y, 2.0, out=y) is y and np.array_equal(y, expected)


@pytest.mark.parametrize("shape", [(300, 14, 14, 64), (70_001,), (5, 2), (1025, 3)], ids=str)
def test_column_sums_are_near_float64_and_do_not_depend_on_threads(shape):
    x, y = r(*shape), r(*shape)
    results = []
    for n in (1, 2, 5):
        backend.tune(n)
        results.append(backend.column_sums(chain, x, y, 0.3))
    assert all(np.array_equal(results[0], other) for other in results[1:])
    columns = shape[-1] if len(shape) > 1 else 1
    exact = chain(x, y, 0.3).astype("float64").reshape(-1, columns).sum(0)
    np.testing.assert_allclose(results[0], exact, rtol=1e-4, atol=1e-2)


def centred_products(g, x, mean):
    return g, g * (x - mean)


@pytest.mark.parametrize("shape", [(300, 14, 14, 64), (1025, 3), (2, 1)], ids=str)
def test_sums_for_batch_norm_are_near_float64_and_do_not_depend_on_threads(shape):
    x, g = 100 + r(*shape), r(*shape)
    wide, results = x.reshape(-1, shape[-1]).astype("float64"), []
    for n in (1, 2, 5):
        backend.tune(n)
        sums = backend.column_sums(centred_products, g, x, x.reshape(-1, shape[-1])[0])
        results.append([*backend.mean_and_variance(x), *sums])
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other))
    rows = g.reshape(wide.shape).astype("float64")
    exact = wide.mean(0), wide.var(0), rows.sum(0), (rows * (wide - wide[0])).sum(0)
    for single, double in zip(results[0], exact):
        np.testing.assert_allclose(single, double, rtol=2e-5, atol=2e-6 * len(wide))


@pytest.mark.parametrize("shape", [(3, 4), (300, 14, 14, 64)], ids=str)
def test_a_fused_function_keeps_the_dtype_of_its_first_array(shape):
    assert fused(r(*shape), r(*shape), r(shape[-1]).astype("float64")).dtype == "float32"


@pytest.mark.parametrize("images, filters, stride, padding", CONVOLUTIONS)
def test_convolutions_do_not_depend_on_threads_and_are_near_float64(images, filters, stride, padding):
    x, w = r(*images), r(*filters)
    g = r(*backend.conv2d(x, w, stride, padding).shape)

    def triple(x, w, g):
        return (
            backend.conv2d(x, w, stride, padding),
            backend.conv_transpose2d(g, w, images[1:3], stride, padding),
            backend.conv2d_weight_grad(x, g, filters[:2], stride, padding),
        )

    results = []
    for n in (1, 2, 5):
        backend.tune(n)
        results.append(triple(x, w, g))
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other))
    for single, exact in zip(results[0], triple(*(a.astype("float64") for a in (x, w, g)))):
        assert np.linalg.norm(single - exact) < 1e-5 * np.linalg.norm(exact)


@pytest.mark.parametrize("m, k, n", [(500, 300, 200), (128, 1024, 1024), (1024, 6272, 1), (7, 1024, 784), (3, 2, 1)])
def test_matrix_products_are_right_and_do_not_depend_on_threads(m, k, n):
    a, b = r(m, k), r(k, n)
    results = []
    for threads_in_use in (1, 2, 3, 6):
        backend.tune(threads_in_use)
        results.append((backend.matmul(a, b), backend.matmul(b.T, a.T)))
    np.testing.assert_allclose(results[0][0], a @ b, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(results[0][1], (a @ b).T, rtol=1e-3, atol=1e-3)
    for other in results[1:]:
        assert all(np.array_equal(x, y) for x, y in zip(results[0], other))


def test_a_matrix_product_over_an_empty_axis_is_zero():
    if backend.kernels() != "numba":
        pytest.skip("tiles are compiled by Numba")
    from tinygan.backend.compiled import tile

    empty = np.full(100, np.nan)[:0]
    y = np.empty((7, 8))
    tile.product(y, tile.matrix_rows(7, 8), empty, tile.matrix_rows(7, 3), np.zeros(0, np.int64), np.zeros((0, 8)))
    assert not y.any()


STORED = """
import numpy as np
from tinygan import backend
from tinygan.gan.health import square
backend.tune()
rng = np.random.default_rng(0)
xs = [rng.standard_normal(n).astype("float32") for n in range(1, 40)]
print(b"".join(backend.column_sums(square, x).tobytes() for x in xs).hex())
"""


def test_stored_code_gives_the_bits_of_newly_compiled_code(tmp_path):
    if backend.kernels() != "numba":
        pytest.skip("only Numba stores compiled code")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    results = [
        subprocess.run([sys.executable, "-c", STORED], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert "compiles" in results[0].stderr and not results[1].stderr
    assert results[0].stdout == results[1].stdout


def test_an_error_in_a_thread_is_raised():
    def fail(block):
        raise ZeroDivisionError(block)

    with pytest.raises(ZeroDivisionError):
        threads.run(fail, list(range(8)))


def test_after_an_error_in_a_block_no_thread_computes_further_blocks():
    backend.tune(4)
    done = []

    def slow_unless_first(block):
        if block == 0:
            raise ZeroDivisionError
        time.sleep(0.01)
        done.append(block)

    with pytest.raises(ZeroDivisionError):
        threads.run(slow_unless_first, list(range(20)))
    finished = len(done)
    time.sleep(0.05)
    assert len(done) == finished


def test_a_fused_function_refuses_an_output_array_that_is_not_contiguous():
    with pytest.raises(ValueError, match="C-contiguous"):
        fused(r(4, 6), r(4, 6), 1.0, out=r(6, 4).T)


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"])
def test_environment_variables_set_the_number_of_threads(variable):
    code = "from tinygan import backend; print(backend.tune())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={variable: "3"})
    assert done.stdout.strip() == "3", done.stderr


def test_option_threads_sets_the_number_of_threads_and_changes_no_bit(tmp_path):
    code = (
        "import runpy, sys; sys.argv[:] = sys.argv[1:]\n"
        "try: runpy.run_path('train.py', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "from tinygan.backend.cpu import threads; print(threads.THREADS)"
    )
    for n in (1, 3):
        words = ("train.py", "--max-steps", 2, "--device", "cpu", "--threads", n, "--out", tmp_path / str(n), "--quiet")
        done = run("-c", code, *words)
        assert done.stdout.splitlines()[-1:] == [str(n)], done.stderr
    one, three = (checkpoint(tmp_path / str(n)) for n in (1, 3))
    assert one.keys() == three.keys() and all(np.array_equal(one[name], three[name]) for name in one)


def test_no_bit_depends_on_the_number_of_threads_with_dropout_in_the_generator():
    images, losses = Tensor(r(16, 8, 8, 1)), []
    for n in (1, 2, 5):
        backend.tune(n)
        gan = presets.build(presets.PRESETS["vanilla"]._replace(dropout=0.3), (8, 8, 1), seed=0).gan
        gan.G = Sequential(gan.G, Dropout(0.5, gan.rng))
        losses.append([gan.discriminator_loss(images, gan.G(gan.latent(16)).detach()).loss.item() for _ in range(20)])
    assert losses[1:] == losses[:-1]


@pytest.mark.parametrize("changes", [{}, {"dropout": 0.3}], ids=str)
@pytest.mark.parametrize("name", presets.PRESETS)
def test_no_bit_of_a_step_depends_on_the_number_of_threads(name, changes):
    images, states = r(6, 12, 12, 1), []
    for n in (1, 2, 5):
        backend.tune(n)
        preset = presets.PRESETS[name]._replace(batch_size=6, **changes)
        training = presets.build(preset, (12, 12, 1), seed=0, classes=3)
        labels = [np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2]]] if preset.conditional else []
        batches = SimpleNamespace(take=lambda n, batch=(images, *labels): [batch] * n)
        for _ in range(3):
            training.step(batches)
        states.append({name: array.copy() for name, array in training.state_dict().items()})
    for state in states[1:]:
        assert all(np.array_equal(state[name], array) for name, array in states[0].items())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_computes_with_numpy():
    code = (
        "import os, numpy as np; from tinygan import backend; backend.tune()\n"
        "x = np.ones((64, 1024), 'float32'); y = backend.matmul(x, x.T)  # if OpenMP is used, it has threads now\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(not (backend.kernels() == 'numpy' and np.array_equal(backend.matmul(x, x.T), y)))\n"
        "print(os.waitpid(child, 0)[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "0\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_threads_of_its_own():
    code = (
        "import os; from tinygan.backend.cpu import threads; threads.THREADS = 3; failed = 0\n"
        "for _ in range(30):  # only in some rounds a thread holds a lock during the fork\n"
        "    threads.run(abs, range(9))\n"
        "    child = os.fork()\n"
        "    if child == 0: os._exit(threads.run(abs, range(9)) != list(range(9)))\n"
        "    failed |= os.waitpid(child, 0)[1]\n"
        "print(failed)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert done.stdout == "0\n", done.stderr
