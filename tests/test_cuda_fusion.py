"""CUDA kernels are made from the formulas of the engine. On the CPU they give NumPy's numbers, and NVRTC compiles them.

No GPU is needed. To run kernels on the CPU, the tests need g++, and either CuPy or --device standin. To compile
kernels, they need the real CuPy and NVIDIA's compiler NVRTC.
"""

import importlib
import inspect

import cuda_on_cpu
import numpy as np
import pytest

from tinygan import autograd, backend, optim
from tinygan.backend import fast
from tinygan.gan import ema, health
from tinygan.layers import norm

try:
    from tinygan.backend.cuda import expression, fusion, sums
except backend.DeviceError:
    pytest.skip("needs CuPy (no GPU), or --device standin", allow_module_level=True)

REAL_CUPY = hasattr(fusion.xp, "__version__")
WITHOUT_NVRTC = importlib.import_module("cuda_nvrtc").unusable() if REAL_CUPY else "needs the real CuPy"
KINDS = {  # elementwise function: the kinds of its arguments (see fusion.py)
    "activated": "ms", "leaky_relu_grad": "mms", "biased": "mrs", "scaled": "mrrs", "batch_norm_gradient": "mmmrrrrs",
    "scale_and_shift": "mmmms", "gradient_factors": "mmmmss", "moved": "mmmmss",
    "sigmoid": "m", "softplus": "m", "adam": "mmmmnnnsns", "bias_corrections": "nsn", "_moments": "msmm",
    "_rate": "nsss", "_average": "mmn",
}  # fmt: skip
SUMMED = {"identity": "m", "square": "m", "h_products": "mmmrs", "_powers": "mr"}  # the same for column_sums
FUSED = {
    name: inspect.unwrap(function)
    for owner in (fast, optim, norm, ema, sums, autograd.activations)
    for name, function in ((name, getattr(x, "forward", x)) for name, x in vars(owner).items())
    if inspect.isfunction(function) and hasattr(function, "__wrapped__") and function.__module__ == owner.__name__
}
OWNERS = {"identity": fast, "square": health, "h_products": fast, "_powers": sums}
FUNCTIONS = {**FUSED, **{name: getattr(OWNERS[name], name) for name in SUMMED}}
ROWS, COLUMNS = 6, 3
DTYPES = {"float32": 1e-5, "float64": 1e-12}


def arguments(kinds, dtype):
    rng = np.random.default_rng(0)
    shapes = {"m": (ROWS, COLUMNS), "r": (COLUMNS,), "n": (1,)}
    return [
        np.dtype(dtype).type(0.3) if kind == "s" else (0.1 + 0.5 * rng.random(shapes[kind])).astype(dtype)
        for kind in kinds
    ]


def expected(name, args, shape=(ROWS, COLUMNS)):
    """Return the results of a function, computed by NumPy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "xp", np)
        results = FUNCTIONS[name](*args)
    results = results if isinstance(results, tuple) else (results,)
    return [np.broadcast_to(result, shape) for result in results]


on_the_cpu = pytest.mark.skipif(not cuda_on_cpu.COMPILER, reason="needs g++")


def test_every_elementwise_function_is_tested():
    assert FUSED.keys() == KINDS.keys()


@on_the_cpu
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KINDS)
def test_each_function_is_a_kernel_that_gives_numpys_numbers(name, dtype):
    args = arguments(KINDS[name], dtype)
    results = expected(name, args)
    source = fusion.elementwise_source(FUSED[name], KINDS[name], len(results), dtype, "unsigned int", COLUMNS)
    outs = [np.full((ROWS, COLUMNS), np.nan, dtype) for _ in results]
    run = cuda_on_cpu.raw_kernel(source, "tinygan_elementwise")
    run((1,), (32,), (*args, *outs, np.uint32(ROWS * COLUMNS)))
    for out, result in zip(outs, results):
        np.testing.assert_allclose(out, result, rtol=DTYPES[dtype], atol=DTYPES[dtype])


@on_the_cpu
@pytest.mark.parametrize("rows, slabs", [(1, 1), (70, 1), (70, 3), (70, 20)])
def test_sums_of_several_results_equal_numpys_for_each_slab_of_rows(rows, slabs):
    columns, rng = 5, np.random.default_rng(0)
    g, y, x = rng.standard_normal((3, rows, columns))
    args = g, y, x, rng.standard_normal(columns), np.float64(0.2)
    source, count = sums.sums_source(
        FUNCTIONS["h_products"], SUMMED["h_products"], "float64", ACROSS=4, DOWN=16, COLUMNS=columns
    )
    results = [np.full((slabs, columns), np.nan) for _ in range(count)]
    cuda_on_cpu.raw_kernel(source, "tinygan_sums")((2, slabs), (64,), (*args, *results, np.int32(rows)))
    slab = -(-rows // slabs)
    for result, h in zip(results, expected("h_products", args, (rows, columns)), strict=True):
        right = [h[i * slab : (i + 1) * slab].sum(0) for i in range(slabs)]
        np.testing.assert_allclose(result, right, rtol=1e-12, atol=1e-12)


@on_the_cpu
def test_one_kernel_makes_copies_of_several_sizes():
    arrays = [np.random.default_rng(n).random(n) for n in (7, 1, 5)]
    targets = [np.full(a.size, np.nan) for a in arrays]
    run = cuda_on_cpu.raw_kernel(fusion.copy_source((7, 1, 5), "float64"), "tinygan_copy")
    run((1,), (32,), (*targets, *arrays))
    for target, array in zip(targets, arrays):
        np.testing.assert_array_equal(target, array)


@pytest.mark.skipif(bool(WITHOUT_NVRTC), reason=str(WITHOUT_NVRTC))
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_kernels_of_elementwise_functions_compile(dtype, architecture):
    from cuda_nvrtc import machine_code

    for name, kinds in KINDS.items():
        count = len(expected(name, arguments(kinds, dtype)))
        source = fusion.elementwise_source(FUSED[name], kinds, count, dtype, "unsigned int", COLUMNS)
        assert machine_code(source, architecture)
    for name, kinds in SUMMED.items():
        source, _ = sums.sums_source(FUNCTIONS[name], kinds, dtype, ACROSS=4, DOWN=64, COLUMNS=COLUMNS)
        assert machine_code(source, architecture)
    assert machine_code(fusion.copy_source((7, 5), dtype), architecture)


def test_functions_that_are_not_elementwise_are_refused():
    with pytest.raises(TypeError, match=r"uses xp.cumsum; on CUDA it can use only xp.abs, "):
        expression.trace(lambda x: backend.xp.cumsum(x), ["x"])
    with pytest.raises(AttributeError, match="sum"):
        expression.trace(lambda x: x.sum(), ["x"])


def difference(x, y):
    return x - y


def test_arrays_of_shapes_or_dtypes_that_do_not_fit_are_refused():
    xp = fusion.xp
    if REAL_CUPY:
        pytest.skip("needs --device standin: CuPy cannot allocate memory without a GPU")
    with pytest.raises(ValueError, match="must have one shape"):
        fusion.fuse(difference)(xp.zeros((4, 3)), xp.zeros((2, 3)))
    with pytest.raises(TypeError, match="must all be float32, or all float64"):
        fusion.fuse(difference)(xp.zeros((4, 3)), xp.zeros((4, 3), "float32"))
