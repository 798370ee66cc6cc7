"""CUDA kernels are made from the formulas of the engine. On the CPU they give NumPy's numbers, and NVRTC compiles them.

No GPU is needed. To run kernels on the CPU, the tests need g++, and either CuPy or --device standin. To compile
kernels, they need the real CuPy and NVIDIA's compiler NVRTC.
"""

import importlib
import inspect

import cuda_on_cpu
import numpy as np
import pytest

from tinygan import backend
from tinygan.backend import formulas

try:
    from tinygan.backend.cuda import expression, fusion
    from tinygan.backend.cuda import sums as fusion_sums
except backend.DeviceError:
    pytest.skip("needs CuPy (no GPU), or --device standin", allow_module_level=True)

REAL_CUPY = hasattr(fusion.xp, "__version__")
WITHOUT_NVRTC = importlib.import_module("cuda_nvrtc").unusable() if REAL_CUPY else "needs the real CuPy"
KINDS = {  # formula: kinds of its arguments (see fusion.py), if they are not one array followed by numbers
    "leaky_relu_grad": "mms", "add_bias": "mrs", "statistics": "mmmmsssmm", "scaled_leaky_relu": "mrrs",
    "h_products": "mmmrs", "gradient_factors": "mmssmm", "batch_norm_gradient": "mmmrrrrs",
    "bias_corrections": "msmm",
    "adam": "mmmmsnnnns", "scaled_sigmoid": "mnss", "divide_by_root": "mns", "divisor_gradient": "mmn",
    "scaled_difference": "mnss", "root": "ms", "sqrt_gradient": "mm",
    "tanh_gradient": "mm", "slope_at": "ms", "scores": "mmmss", "probability_scores": "mmmnn",
}  # fmt: skip
JOINED = {  # functions in formulas.py that are not elementwise formulas
    "batch_norm", "batch_norm_statistics", "normalise", "mean", "mean_softplus", "mean_square", "adam_scalars",
    "partial", "fuse",
}  # fmt: skip
FORMULAS = {
    name: inspect.unwrap(function)
    for name, function in vars(formulas).items()
    if inspect.isfunction(function) and name not in JOINED and not name.endswith("_gradients")
}
ROWS, COLUMNS = 6, 3
DTYPES = {"float32": 1e-5, "float64": 1e-12}


def kinds_of(name):
    return KINDS.get(name, "m" + "s" * (len(inspect.signature(FORMULAS[name]).parameters) - 1))


def arguments(kinds, dtype):
    rng = np.random.default_rng(0)
    shapes = {"m": (ROWS, COLUMNS), "r": (COLUMNS,), "n": (1,)}
    return [
        np.dtype(dtype).type(0.3) if kind == "s" else (0.1 + 0.5 * rng.random(shapes[kind])).astype(dtype)
        for kind in kinds
    ]


def expected(name, args):
    """Return the results of a formula, computed by NumPy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "xp", np)
        results = FORMULAS[name](*args)
    results = results if isinstance(results, tuple) else (results,)
    return [np.broadcast_to(result, (ROWS, COLUMNS)) for result in results]


on_the_cpu = pytest.mark.skipif(not cuda_on_cpu.COMPILER, reason="needs g++")


@on_the_cpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_each_formula_is_a_kernel_that_gives_numpys_numbers(dtype):
    for name in FORMULAS:
        kinds = kinds_of(name)
        args = arguments(kinds, dtype)
        results = expected(name, args)
        source = fusion.elementwise_source(FORMULAS[name], kinds, len(results), dtype, "unsigned int", COLUMNS)
        outs = [np.full((ROWS, COLUMNS), np.nan, dtype) for _ in results]
        run = cuda_on_cpu.raw_kernel(source, "tinygan_elementwise")
        run((1,), (32,), (*args, *outs, np.uint32(ROWS * COLUMNS)))
        for out, result in zip(outs, results):
            np.testing.assert_allclose(out, result, rtol=DTYPES[dtype], atol=DTYPES[dtype], err_msg=name)


@on_the_cpu
@pytest.mark.parametrize("then", [False, True])
@pytest.mark.parametrize(
    "rows, slabs, parts", [(1, 1, 1), (70, 1, 1), (70, 3, 1), (70, 20, 1), (70, 1, 2), (70, 3, 2), (3, 1, 3)]
)
def test_sums_of_several_results_equal_numpys(rows, slabs, parts, then):
    """h_products has two results. The kernel sums both, and stores the first. then: apply `combined` to the sums."""
    rng = np.random.default_rng(0)
    columns = 5
    g, y, x = rng.standard_normal((3, rows, columns))
    mean, slope = rng.standard_normal((parts, columns)), np.float64(0.2)
    sizes = dict(ACROSS=4, DOWN=16, COLUMNS=columns, SLABS=slabs, PARTS=parts)
    more = [rng.random(columns), rng.random((parts, columns)), np.float64(2.0)] if then else []
    last, of_more, of_results = (combined, "rps", "pra") if then else (None, "", "p")
    source, count = fusion_sums.sums_source(
        FORMULAS["h_products"], "mmmps", "float64", True, last, of_more, of_results, **sizes
    )
    stored, total = np.full((rows, columns), np.nan), np.zeros(columns)
    results = [np.full((parts, columns), np.nan) for _ in range(2)]
    if then:
        more[0] = results[1] = total  # the kernel reads this array and writes it: each part of the rows adds its sum
        results.append(np.full(columns, np.nan))  # the kernel only writes this array: the sum over all parts
    arrived = np.zeros(2, "uint32")
    scratch = [np.full((count, parts * slabs, columns), np.nan), arrived] if parts * slabs > 1 else []
    run = cuda_on_cpu.raw_kernel(source, "tinygan_sums")
    run((2, parts * slabs), (64,), (g, y, x, mean, slope, stored, *more, *results, *scratch, np.int32(rows)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "xp", np)
        of_parts = (a.reshape(parts, -1, columns) for a in (g, y, x))
        h, product = FORMULAS["h_products"](*of_parts, mean[:, None], slope)
    np.testing.assert_allclose(stored, h.reshape(rows, columns))
    sums = [h.sum(1), product.sum(1)]
    if then:
        sums = [sums[0] * more[1] + sums[1] / 2.0, sums[0].sum(0), 3.0 * sums[1].sum(0)]
    for result, expected_sum in zip(results, sums, strict=True):
        np.testing.assert_allclose(result, expected_sum, rtol=1e-12, atol=1e-12)
    assert not arrived.any()  # the counters are back at 0 for the next kernel


def combined(total, factors, divisor, first, second):
    return first * factors + second / divisor, total + first, 3.0 * second


@on_the_cpu
def test_one_kernel_computes_several_sums_of_arrays():
    rng = np.random.default_rng(0)
    parts = [[rng.random(7)], [rng.random(5) for _ in range(3)]]
    targets = [np.full(7, np.nan), np.full(5, np.nan)]
    run = cuda_on_cpu.raw_kernel(fusion.add_source(((7, 1), (5, 3)), "float64"), "tinygan_add")
    run((1,), (32,), (*targets, *parts[0], *parts[1], np.uint32(12)))
    for target, some in zip(targets, parts):
        np.testing.assert_allclose(target, sum(some))


@pytest.mark.skipif(bool(WITHOUT_NVRTC), reason=str(WITHOUT_NVRTC))
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMULAS)
def test_each_formula_compiles(name, dtype, architecture):
    from cuda_nvrtc import machine_code

    kinds, count = kinds_of(name), len(expected(name, arguments(kinds_of(name), dtype)))
    assert machine_code(fusion.elementwise_source(FORMULAS[name], kinds, count, dtype, "unsigned int", 3), architecture)
    for slabs in (1, 3):
        sizes = dict(ACROSS=4, DOWN=64, COLUMNS=3, SLABS=slabs, PARTS=slabs)
        source, _ = fusion_sums.sums_source(FORMULAS[name], kinds, dtype, False, None, "", "p", **sizes)
        assert machine_code(source, architecture)


@pytest.mark.skipif(bool(WITHOUT_NVRTC), reason=str(WITHOUT_NVRTC))
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_column_sums_with_a_last_function_and_sums_of_arrays_compile(dtype, architecture):
    from cuda_nvrtc import machine_code

    h_products = FORMULAS["h_products"], "mmmps", dtype, True, combined, "rps", "pra"
    for slabs in (1, 3):
        source, _ = fusion_sums.sums_source(*h_products, ACROSS=4, DOWN=64, COLUMNS=3, SLABS=slabs, PARTS=slabs)
        assert machine_code(source, architecture)
    assert machine_code(fusion.add_source(((7, 1), (5, 3)), dtype), architecture)


def test_functions_that_are_not_elementwise_are_refused():
    with pytest.raises(TypeError, match=r"uses xp.cumsum; on CUDA it can use only xp.abs, "):
        expression.trace(lambda x: backend.xp.cumsum(x), ["x"])
    with pytest.raises(AttributeError, match="sum"):
        expression.trace(lambda x: x.sum(), ["x"])


def test_arrays_of_shapes_or_dtypes_that_do_not_fit_are_refused():
    xp = fusion.xp
    if REAL_CUPY:
        pytest.skip("needs --device standin: CuPy cannot allocate memory without a GPU")
    with pytest.raises(ValueError, match="must have one shape"):
        fusion.fuse(FORMULAS["tanh_gradient"])(xp.zeros((4, 3)), xp.zeros((2, 3)))
    with pytest.raises(TypeError, match="must all be float32, or all float64"):
        fusion.fuse(FORMULAS["tanh_gradient"])(xp.zeros((4, 3)), xp.zeros((4, 3), "float32"))
