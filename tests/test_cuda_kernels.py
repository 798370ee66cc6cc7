"""The CUDA kernels give NumPy's results on the CPU, and NVRTC compiles them.

No GPU is needed. To run kernels on the CPU, the tests need g++, and either CuPy or --device standin. To compile
kernels, they need the real CuPy and NVIDIA's compiler NVRTC.
"""

import importlib

import cuda_on_cpu
import cupy_twins
import numpy as np
import pytest

from tinygan import backend
from tinygan.backend import cpu, fast, patches

try:
    from tinygan.backend.cuda import kernels, random
except backend.DeviceError:
    pytest.skip("needs CuPy (no GPU), or --device standin", allow_module_level=True)

REAL_CUPY = hasattr(kernels.xp, "__version__")
on_the_cpu = pytest.mark.skipif(not cuda_on_cpu.COMPILER, reason="needs g++")
WITHOUT_NVRTC = importlib.import_module("cuda_nvrtc").unusable() if REAL_CUPY else "needs the real CuPy"
to_machine_code = pytest.mark.skipif(bool(WITHOUT_NVRTC), reason=str(WITHOUT_NVRTC))
ARCHITECTURES = ("sm_80", "sm_90")

CONVOLUTIONS = [  # shape of the images, kernel, stride, padding
    ((2, 28, 28, 1), (4, 4), (2, 2), (1, 1)),
    ((2, 14, 14, 8), (4, 4), (2, 2), (1, 1)),
    ((1, 7, 7, 4), (3, 3), (1, 1), (1, 1)),
    ((3, 5, 6, 3), (3, 2), (2, 1), (1, 0)),
    ((1, 5, 5, 2), (1, 1), (3, 2), (0, 0)),  # some pixels are in no patch
    ((2, 7, 5, 1), (2, 2), (3, 3), (1, 0)),  # no patch contains the pixels at one border
    ((1, 4, 9, 5), (4, 5), (1, 3), (3, 2)),
    ((1, 1, 1, 6), (1, 1), (1, 1), (0, 0)),
]


def constants(shape, kernel, stride, padding, lanes):
    grid = patches.patch_grid(shape[1:3], kernel, stride, padding)
    names = ("H", "W", "CHANNELS", "OH", "OW", "KH", "KW", "SH", "SW", "PH", "PW")
    return grid, dict(zip(names, (*shape[1:], *grid, *kernel, *stride, *padding)), LANES=lanes)


def fill(name, source, target, dtype, sizes):
    """Run a kernel that moves pixels from the array `source` to the array `target`. Return the target."""
    run = cuda_on_cpu.raw_kernel(kernels.source(name, dtype, "unsigned int", **sizes), f"tinygan_{name}")
    total = target.size // sizes["LANES"]
    target[...] = np.nan  # every element must be written
    run((-(-total // 64),), (64,), (source, target, np.uint32(total)))
    return target


@on_the_cpu
@pytest.mark.parametrize(
    "convolution, dtype, lanes",
    [
        (convolution, dtype, lanes)
        for convolution in CONVOLUTIONS
        for dtype, lanes in (("float32", 1), ("float32", 4), ("float64", 2))
        if convolution[0][3] % lanes == 0  # the kernel moves `lanes` channels at a time
    ],
)
def test_patches_equal_numpys_to_the_bit(convolution, dtype, lanes):
    shape, kernel, stride, padding = convolution
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    expected = cpu.im2col(x, kernel, stride, padding)
    columns = rng.standard_normal(expected.shape).astype(dtype)
    _, sizes = constants(shape, kernel, stride, padding, lanes)
    np.testing.assert_array_equal(fill("im2col", x, np.empty_like(expected), dtype, sizes), expected)
    image = fill("col2im", columns, np.empty_like(x), dtype, sizes)
    added = np.empty_like(x)
    cupy_twins.col2im(None, None, columns, added, None, **sizes)
    np.testing.assert_array_equal(image, added)


@on_the_cpu
@pytest.mark.parametrize("dtype, name", [("uint8", "unsigned char"), ("float32", "float")])
def test_gather_equals_numpys(dtype, name):
    rng = np.random.default_rng(0)
    table, order = rng.integers(0, 256, (9, 5)).astype(dtype), rng.permutation(9)
    position, y = np.array([2]), np.full((4, 5), np.nan, "float32")
    source = kernels.source("gather", "float32", "unsigned int", f"typedef {name} Element;\n", COLUMNS=5, ROWS=9)
    run = cuda_on_cpu.raw_kernel(source, "tinygan_gather")
    run((1,), (32,), (table, order, position, y, np.uint32(20), np.float32(1 / 127.5), np.float32(1.0)))
    np.testing.assert_allclose(y, cpu.gather(table, order, position, 4, 1 / 127.5, 1.0), rtol=1e-6, atol=1e-7)


KNOWN = [  # known answers of Random123 (Salmon et al. 2011): key, draw, the first two words for element 0
    ((0, 0), 0, (0x6627E8D5, 0xE169C58D)),
    # the second word of the counter is always 0 in these kernels; test_cupy_kernels.py has answers for other counters
]


def drawn(name, real, n, key=(0, 0), draw=0):
    operation = {"uniform": random.UNIFORM, "normal": random.NORMAL}[name]
    y = np.full(n, np.nan, {"float": "float32", "double": "float64"}[real])
    run = cuda_on_cpu.elementwise(operation, random.PHILOX, real)
    run(np.array([draw], "uint64"), np.array(key, "uint32"), y)
    return y


@on_the_cpu
@pytest.mark.parametrize("key, draw, words", KNOWN)
def test_random_numbers_come_from_the_known_answers_of_philox(key, draw, words):
    x, angle = words
    assert drawn("uniform", "double", 1, key, draw)[0] == (x >> 8) * 2.0**-24
    expected = np.sqrt(-2 * np.log((x + 1) * 2.0**-32)) * np.cos(2 * np.pi * angle * 2.0**-32)
    assert drawn("normal", "double", 1, key, draw)[0] == pytest.approx(expected, rel=1e-12)


@on_the_cpu
@pytest.mark.parametrize("real, tolerance", [("float", 1e-5), ("double", 1e-12)])
@pytest.mark.parametrize("draw", [0, 1, 2**32 + 5])
def test_random_numbers_equal_those_of_the_standins_twins(real, tolerance, draw):
    import cupy_twins

    key, n = (123456789, 987654321), 1001
    for name in ("uniform", "normal"):
        expected = np.empty(n, {"float": "float32", "double": "float64"}[real])
        cupy_twins.TWINS[f"tinygan_{name}"](np.array([draw], "uint64"), np.array(key, "uint32"), expected)
        np.testing.assert_allclose(drawn(name, real, n, key, draw), expected, rtol=tolerance, atol=tolerance)


@on_the_cpu
def test_float32_random_numbers_have_their_range_and_moments():
    u, z = (drawn(name, "float", 200_000, (1, 2), 3) for name in ("uniform", "normal"))
    assert u.min() >= 0 and u.max() < 1 and np.isfinite(z).all()
    assert abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01 and abs((z**4).mean() - 3) < 0.1


@pytest.mark.parametrize("shape, kernel, stride, padding", CONVOLUTIONS)
def test_kernels_are_launched_with_the_right_sizes(shape, kernel, stride, padding, monkeypatch):
    """Each element has a thread. Arguments and constants follow from the shape of the images."""
    if REAL_CUPY:
        pytest.skip("needs --device standin: CuPy cannot allocate memory without a GPU")
    launched = []
    monkeypatch.setattr(kernels, "kernel", lambda name, *types, **sizes: lambda *call: launched.append((sizes, *call)))
    x = backend.xp.zeros(shape, "float32")
    columns = kernels.im2col(x, kernel, stride, padding)
    kernels.col2im(columns, shape, kernel, stride, padding)
    for (sizes, (blocks,), (threads,), (_, target, total)), written in zip(launched, (columns, x)):
        _, expected = constants(shape, kernel, stride, padding, sizes["LANES"])
        assert sizes == expected and target.shape == written.shape
        assert total * sizes["LANES"] == written.size and (blocks - 1) * threads < total <= blocks * threads
        assert shape[3] % sizes["LANES"] == 0 and type(total) is np.uint32


@pytest.mark.parametrize("shape", [(7, 5), (1, 1), (100_000,), (300, 9, 9, 64), (5000, 40), (4096, 100), (0, 3)])
def test_column_sums_of_any_shape_are_right(shape):
    if REAL_CUPY:
        pytest.skip("needs --device standin: CuPy cannot allocate memory without a GPU")
    x = np.random.default_rng(0).standard_normal(shape)
    y = backend.to_host(backend.column_sums(fast.identity, backend.to_device(x)))
    np.testing.assert_allclose(y, x.reshape(-1, shape[-1] if len(shape) > 1 else 1).sum(0), rtol=1e-10, atol=1e-10)


@to_machine_code
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype, lanes", [("float32", 4), ("float32", 1), ("float64", 2)])
def test_raw_kernels_compile(architecture, dtype, lanes):
    from cuda_nvrtc import machine_code

    _, sizes = constants((2, 14, 14, 8), (4, 4), (2, 2), (1, 1), lanes)
    for index in ("unsigned int", "unsigned long long"):
        for name in ("im2col", "col2im"):
            assert machine_code(kernels.source(name, dtype, index, **sizes), architecture)
    gather = kernels.source(
        "gather", "float32", "unsigned int", "typedef unsigned char Element;\n", COLUMNS=784, ROWS=60000
    )
    assert machine_code(gather, architecture)


@to_machine_code
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["uniform", "normal"])
def test_random_kernels_compile(name, dtype, architecture):
    from cuda_nvrtc import OPTIONS, elementwise_source, machine_code

    source = elementwise_source(random.kernel(name), ["uint64", "uint32", dtype])
    assert machine_code(source, architecture, OPTIONS)
