"""Every function of the backend gives the result of its definition (definitions.py), on every device, at any shape.

Hypothesis draws shapes, layouts in memory, dtypes and parameters: 50 examples of each function, 20,000 with --slow.
Products and sums of products are computed from small integers, so they must be equal to the bit.

The last test plants wrong kernels. Each must be found, so the examples include the shapes at which kernels are used.
"""

import importlib
import inspect

import definitions
import numpy as np
import pytest
from drawn import DRAWS, GEOMETRIES, MATRICES, ROWS, SHAPES
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tinygan import backend

pytestmark = pytest.mark.usefixtures("kernels")


def equal(results, expected, dtype=None):
    for result, right in zip(results, expected, strict=True):
        host = backend.to_host(result)
        assert host.shape == np.shape(right) and (dtype is None or host.dtype == dtype)
        np.testing.assert_array_equal(host, right)


def near(results, expected, dtype, scale=1.0):
    """scale: the size of the numbers that were added or subtracted"""
    for result, right in zip(results, expected, strict=True):
        host = backend.to_host(result)
        assert host.shape == np.shape(right) and host.dtype == dtype
        np.testing.assert_allclose(host, right, rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps * scale)


# products


def matmul(draw, sizes):
    m, k, n = sizes
    arrays, hosts = draw.integers((m, k), (k, n))
    equal([backend.matmul(*arrays)], [definitions.matmul(*hosts)], draw.dtype)


def conv2d(draw, sizes):
    arrays, hosts = draw.integers(sizes.images, sizes.filters)
    where = sizes.stride, sizes.padding
    equal([backend.conv2d(*arrays, *where)], [definitions.conv2d(*hosts, *where)], draw.dtype)


def conv_transpose2d(draw, sizes):
    arrays, hosts = draw.integers(sizes.responses, sizes.filters)
    where = sizes.images[1:3], sizes.stride, sizes.padding
    equal([backend.conv_transpose2d(*arrays, *where)], [definitions.conv_transpose2d(*hosts, *where)], draw.dtype)


def conv2d_weight_grad(draw, sizes):
    arrays, hosts = draw.integers(sizes.images, sizes.responses)
    where = sizes.filters[:2], sizes.stride, sizes.padding
    equal([backend.conv2d_weight_grad(*arrays, *where)], [definitions.conv2d_weight_grad(*hosts, *where)], draw.dtype)


@backend.fuse
def line(x, y, a):
    return x * a + y


@backend.fuse
def two_results(x, y):
    return x - y, x * y


@backend.fuse
def all_functions(x):
    xp = backend.xp
    u = xp.minimum(xp.maximum(x, -2.5), 2.5)
    return xp.exp(u), xp.expm1(u), xp.log(1.0 + xp.abs(x)), xp.log1p(u * u), xp.sign(x), xp.sqrt(u * u), -xp.tanh(u) / 3


OTHERS = st.sampled_from(["same", "channels", "one"])  # the shape of the other argument
large = st.sampled_from([(1 << 14, 3), (70_001,), (3, 50, 997), (1 << 18, 1)])  # more than one block


def shape_of(other, shape):
    return {"same": shape, "channels": shape[-1:], "one": (1,)}[other]


def fuse(draw, shape, other, number, in_place):
    """With `out` the result is written to the array, which may be an argument."""
    arrays, hosts = draw._replace(layouts=("C",) * in_place or draw.layouts).integers(shape, shape_of(other, shape))
    expected = inspect.unwrap(line)(*hosts, number)
    out = arrays[0] if in_place else None
    result = line(*arrays, number, out=out)
    assert not in_place or result is out
    equal([result], [expected.astype(draw.dtype)], draw.dtype)


def fuse_two_results(draw, shape):
    arrays, hosts = draw._replace(layouts=("C", *draw.layouts[1:])).integers(shape, shape)
    out = arrays[0], backend.xp.empty(shape, draw.dtype)
    two_results(*arrays, out=out)
    equal(out, inspect.unwrap(two_results)(*hosts), draw.dtype)


def fuse_all_functions(draw, shape):
    (x,), (host,) = draw.integers(shape)
    out = tuple(backend.xp.empty(shape, draw.dtype) for _ in range(7))
    all_functions(x, out=out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "xp", np)
        near(out, inspect.unwrap(all_functions)(host.astype("float64")), draw.dtype)


def column_sums(draw, shape, other, number):
    arrays, hosts = draw.integers(shape, shape_of(other, shape))
    (expected,) = definitions.column_sums(inspect.unwrap(line), *hosts, number)
    equal([backend.column_sums(line, *arrays, number)], [expected], draw.dtype)


def column_sums_of_two_results(draw, shape):
    arrays, hosts = draw.integers(shape, shape)
    expected = definitions.column_sums(inspect.unwrap(two_results), *hosts)
    equal(backend.column_sums(two_results, *arrays), expected, draw.dtype)


def mean_and_variance(draw, shape, offset):
    (x,), (host,) = draw._replace(dtype="float64").integers(shape)
    x, host = (x + offset).astype(draw.dtype), host + offset
    near(backend.mean_and_variance(x), definitions.mean_and_variance(host), draw.dtype, 40 * (1 + offset))


def copy_into(draw, shapes):
    sources, hosts = draw.integers(*shapes)
    targets = [backend.xp.empty(shape, draw.dtype) for shape in shapes]
    backend.copy_into(targets, sources)
    equal(targets, hosts, draw.dtype)


def gather(seed, dtype, rows, shape, n, factor, offset):
    host = np.random.default_rng(seed)
    table, order = host.integers(0, 256, (rows, *shape)).astype(dtype), host.permutation(rows)
    position, n = host.integers(0, rows, 1), min(n, rows)
    position = np.minimum(position, rows - n)
    result = backend.gather(*map(backend.to_device, (table, order, position)), n, factor, offset)
    near([result], [definitions.gather(table, order, position, n, factor, offset)], "float32", 256)


def random_numbers(seed, shape, dtype, name):
    ours, again = (getattr(backend.RNG(seed), name)(shape, dtype) for _ in range(2))
    host = backend.to_host(ours)
    assert host.shape == shape and host.dtype == dtype and np.isfinite(host).all()
    assert name == "normal" or ((host >= 0) & (host < 1)).all()
    assert host.size < 9 or len(np.unique(host)) > host.size // 2
    equal([again], [host])


SEEDS = st.integers(0, 2**32 - 1)
NUMBERS = st.integers(-3, 3).map(float)
FILLED = SHAPES.filter(lambda shape: 0 not in shape)
CHECKS = {  # function that compares a function of the backend with its definition: the strategies of its arguments
    matmul: (DRAWS, MATRICES),
    conv2d: (DRAWS, GEOMETRIES),
    conv_transpose2d: (DRAWS, GEOMETRIES),
    conv2d_weight_grad: (DRAWS, GEOMETRIES),
    fuse: (DRAWS, st.one_of(FILLED, large), OTHERS, NUMBERS, st.booleans()),
    fuse_two_results: (DRAWS, FILLED),
    fuse_all_functions: (DRAWS, FILLED),
    column_sums: (DRAWS, st.one_of(ROWS, large), OTHERS, NUMBERS),
    column_sums_of_two_results: (DRAWS, ROWS),
    mean_and_variance: (DRAWS, ROWS, st.sampled_from([0, 1, 100])),
    copy_into: (DRAWS, st.lists(SHAPES, max_size=4)),
    gather: (
        SEEDS, st.sampled_from(["uint8", "float32"]), st.integers(1, 50), FILLED,
        st.integers(1, 50), st.sampled_from([1.0, 1 / 127.5]), st.sampled_from([0.0, 1.0]),
    ),
    random_numbers: (
        SEEDS, SHAPES, st.sampled_from(["float32", "float64"]), st.sampled_from(["normal", "uniform"]),
    ),
}  # fmt: skip


def run(check, **options):
    """Check examples until one fails."""

    def one(example):
        check(*example)

    one.__qualname__ = check.__name__  # under this name Hypothesis stores examples that failed
    settings(deadline=None, **options)(given(st.tuples(*CHECKS[check]))(one))()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_function_equals_its_definition(check, request):
    run(check, max_examples=20_000 if request.config.getoption("--slow") else 50)


def without_last(name, when):
    """Plant a function of the device that leaves out the last column or number of its result, for some arguments."""

    def plant(patch):
        real = getattr(backend._device, name)

        def wrong(*args):
            y = real(*args)
            first = y[0] if isinstance(y, (list, tuple)) else y
            if first.size and when(*args):
                first[..., -1] = 0
            return y

        patch.setattr(backend._device, name, wrong)

    return plant


def inside(module, name, change):
    """Plant a helper of the compiled kernels: change(helper) is called in its place."""

    def plant(patch):
        if backend.kernels() != "numba":
            pytest.skip("a helper of Numba's kernels")
        there = importlib.import_module(f"tinygan.backend.compiled.{module}")
        patch.setattr(there, name, change(getattr(there, name)))

    return plant


def no_last_row(product):
    def wrong(y, y_rows, a, rows, columns, b):
        product(y, y_rows, a, rows, columns, b)
        if len(y_rows):
            y.reshape(-1)[y_rows[-1] : y_rows[-1] + b.shape[1]] = 0

    return wrong


def no_remainder(product):
    def wrong(y, y_rows, a, rows, columns, b):
        whole = b.shape[1] - b.shape[1] % 4
        product(y, y_rows, a, rows, columns, np.where(np.arange(b.shape[1]) < whole, b, 0).astype(b.dtype))

    return wrong


def read_as_contiguous(product):
    return lambda y, y_rows, a, rows, columns, b: product(y, y_rows, a, rows, columns, b.ravel("K").reshape(b.shape))


def late_phases(phases):
    return lambda *args: [phase._replace(shift=phase.shift + (len(phase.taps) == 1)) for phase in phases(*args)]


def first_panel_again(panels):
    def wrong(*args):
        found = panels(*args)
        found[-1] = found[0]
        return found

    return wrong


PLANTED = {  # a wrong kernel: how it is planted, and the check that finds it
    "no last column of a large product": (without_last("matmul", lambda a, b: a.size > 1 << 14), matmul),
    "no last channel of 64": (without_last("conv2d", lambda x, w, *_: w.shape[3] >= 64), conv2d),
    "stride = kernel": (without_last("conv_transpose2d", lambda r, w, n, s, p: w.shape[:2] == s), conv_transpose2d),
    "1x1 filters": (without_last("conv_transpose2d", lambda r, w, *_: w.shape[:2] == (1, 1)), conv_transpose2d),
    "16 images": (without_last("conv2d_weight_grad", lambda x, *_: len(x) >= 16), conv2d_weight_grad),
    "no last pixel of a batch": (without_last("gather", lambda rows, *_: rows.dtype == "uint8"), gather),
    "no last mean": (without_last("mean_and_variance", lambda x, *_: x.shape[-1] > 32), mean_and_variance),
    "no last row of a tile": (inside("convolution", "product", no_last_row), conv2d),
    "no columns after the last vector": (inside("convolution", "product", no_remainder), conv2d_weight_grad),
    "read as if it were contiguous": (inside("convolution", "product", read_as_contiguous), conv_transpose2d),
    "late phases of one tap": (inside("convolution", "_phases", late_phases), conv_transpose2d),
    "the last panel is the first": (inside("products", "_panels", first_panel_again), matmul),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_wrong_kernel_is_found(name, monkeypatch):
    plant, check = PLANTED[name]
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run(check, database=None, phases=[Phase.generate], max_examples=1000)
