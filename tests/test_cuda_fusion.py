"""What cupy.fuse makes of the library's elementwise functions: one kernel each, in float32, that compiles.

Needs the real CuPy and NVRTC (pip install -e '.[cuda-check]'), and no GPU: without one the functions are traced with
arrays at an address where nothing is. CuPy does not say when it cannot fuse, nor that numbers among themselves are
float16 to it.
"""

import ast
import importlib
from pathlib import Path

import pytest

from tinygan import backend, optim
from tinygan.autograd import activations, normalization

REASON = "needs CuPy and NVRTC: pip install -e '.[cuda-check]'"
cupy = pytest.importorskip("cupy", reason=REASON, exc_type=ImportError)
if not hasattr(cupy, "__version__"):
    pytest.skip(f"{REASON}; here cupy is the stand-in", allow_module_level=True)
import cuda_nvrtc  # noqa: E402

if cuda_nvrtc.unusable():
    pytest.skip(cuda_nvrtc.unusable(), allow_module_level=True)

from tinygan.backend.cuda import fusion  # noqa: E402

ROOT = Path(__file__).parent.parent
X, C, ONE = (8, 3), (3,), (1,)  # the large arrays, one number for each channel, one number; and Python numbers
FUSED = {  # function: its arguments, and how many arrays it returns
    activations._relu: ((X,), 1),
    activations._leaky_relu: ((X, 0.2), 1),
    activations._leaky_relu_grad: ((X, X, 0.2), 1),
    normalization._scale_and_shift: ((X, C, C), 1),
    normalization._centred_gradient: ((X, X, C, C, C, C), 1),
    optim._adam: ((X, X, X, X, 0.5, ONE, ONE, ONE), 3),
}
SUMMED = {  # those given to column_sums on CUDA
    fusion._squared_deviation: (X, C),
    fusion._product_of_centred: (X, X, C),
}
ALONE = {"identity", "_square"}  # of one array: an operation of CuPy's own, or none


def modules():
    for path in sorted((ROOT / "tinygan").rglob("*.py")):
        if "backend" not in path.parts:
            yield path, ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_fused_function_is_in_the_table():
    fused, summed = set(), set()
    for path, name in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and "backend.fuse" in map(ast.unparse, node.decorator_list):
                fused.add(getattr(importlib.import_module(name), node.name))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "backend.column_sums":
                summed.add(ast.unparse(node.args[0]))
    assert fused == FUSED.keys()
    assert summed == ALONE  # SUMMED are those of BatchNorm


def arrays(args, dtype="float32"):
    return [cuda_nvrtc.array_to_trace(a, dtype) if isinstance(a, tuple) else a for a in args]


def traced(function, args, outs=None, dtype="float32"):
    plain = getattr(function, "__wrapped__", function)
    if outs is not None:
        plain = fusion.into(plain, outs)
        args = (args[0],) * outs + args
    return cuda_nvrtc.traced(plain, function.__name__, arrays(args, dtype))


CASES = [
    *[pytest.param(f, args, None, id=f.__name__) for f, (args, outs) in FUSED.items() if outs == 1],
    *[pytest.param(f, args, outs, id=f"{f.__name__} into {outs}") for f, (args, outs) in FUSED.items()],
    *[pytest.param(f, args, None, id=f.__name__) for f, args in SUMMED.items()],
]


@pytest.mark.parametrize("function, args, outs", CASES)
def test_a_fused_function_is_one_kernel_in_float32_that_compiles(function, args, outs, monkeypatch):
    monkeypatch.setattr(backend, "xp", cupy)
    kernel = traced(function, args, outs)
    assert all(p.dtype == "float32" for p in kernel.out_params)
    assert cuda_nvrtc.computes_in(kernel) <= {"float", "bool"}
    assert bool(kernel.out_params) == (outs is None)
    source = cuda_nvrtc.elementwise_source(kernel, [p.dtype for p in kernel.in_params + kernel.out_params])
    for architecture in ("sm_80", "sm_90"):
        assert cuda_nvrtc.machine_code(source, architecture, cuda_nvrtc.OPTIONS)


@pytest.mark.parametrize("function, args, outs", CASES)
def test_in_float64_it_computes_in_float64(function, args, outs, monkeypatch):
    monkeypatch.setattr(backend, "xp", cupy)
    kernel = traced(function, args, outs, "float64")
    assert cuda_nvrtc.computes_in(kernel) <= {"double", "bool"}


@pytest.mark.parametrize("function, args, outs", [case for case in CASES if case.values[2]])
def test_nothing_is_written_before_all_is_computed(function, args, outs, monkeypatch):
    """Its targets may be its arguments: the last operations of the kernel are the copies, one for each target."""
    monkeypatch.setattr(backend, "xp", cupy)
    operations = [line for line in traced(function, args, outs).operation.split("\n") if line.startswith("cupy_")]
    copies = [line.startswith("cupy_copy") for line in operations]
    assert copies == [False] * (len(copies) - outs) + [True] * outs


@pytest.mark.parametrize(
    "function, args, found",
    [
        (lambda x, b: b * x + (1 - b) * x, (X, 0.9), "float16"),
        (lambda x, y: x * y.astype("float64"), (X, X), "double"),
    ],
)
def test_a_wrong_type_is_detected(function, args, found):
    assert found in cuda_nvrtc.computes_in(cuda_nvrtc.traced(function, "wrong", arrays(args)))


def test_a_function_that_cannot_be_one_kernel_is_detected():
    with pytest.raises(AssertionError, match="fell back"):
        cuda_nvrtc.traced(lambda x: (x - x.sum(axis=0)) * 2.0, "two_passes", arrays((X,)))
