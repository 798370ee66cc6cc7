"""A kernel of the stand-in runs its NumPy version, called its twin. A fused function refuses what CuPy cannot fuse."""

import cupy_standin
import numpy as np
import pytest

cupy = cupy_standin.module()


def x(n=3):
    return cupy.full(n, 2.0, "float32")


PHILOX = [  # the known answers of Random123 (Salmon et al. 2011): counter, key, result
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize("counter, key, result", PHILOX)
def test_philox_gives_the_known_answers(counter, key, result):
    counter, key = ([int(word, 16) for word in words.split()] for words in (counter, key))
    assert " ".join(f"{word:08x}" for word in cupy_standin.philox(counter, key)) == result


KEY = cupy.zeros(2, "uint32")


def kernel(name="tinygan_uniform"):
    return cupy.ElementwiseKernel("raw uint64 draws, raw uint32 key", "T y", "y = ...", name, preamble="...")


def test_an_elementwise_kernel_runs_its_twin_and_is_captured():
    y, draws = cupy.zeros((2, 3), "float32"), cupy.zeros(1, "uint64")
    assert kernel()(draws, KEY, y) is y
    first = y.get()
    assert first[0, 0] == (0x6627E8D5 >> 8) * 2.0**-24 and len(set(first.ravel())) == 6
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        kernel()(draws, KEY, y)
        draws += 1
        graph = stream.end_capture()
    graph.launch()
    assert (y.get() == first).all()
    graph.launch()
    assert (y.get() != first).all() and draws.tolist() == [2]


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: kernel("unknown")(cupy.zeros(1, "uint64"), KEY, x()), NotImplementedError, "no NumPy twin"),
        (lambda: kernel()(cupy.zeros(1, "int64"), KEY, x()), TypeError, "mismatched. draws int64 uint64"),
        (lambda: kernel()(np.zeros(1, "uint64"), KEY, x()), TypeError, "Unsupported type"),
        (lambda: kernel()(x()), TypeError, "2 inputs"),
        (lambda: kernel()(cupy.zeros(1, "uint64"), KEY), ValueError, "Loop size"),
        (lambda: cupy.ElementwiseKernel("T x", "T y", "y = x", "n", inline=True), TypeError, "inline"),
        (lambda: cupy.RawKernel("...", "r")((1,), (1,), (x(4)[::2],)), ValueError, "strided"),
        (lambda: cupy.RawKernel("...", "r")((1,), (1,), (x(), 0.5)), TypeError, "double"),
        (lambda: cupy.RawKernel("...", "r")((1,), (1,), (x(),) * 513), RuntimeError, "4096 bytes of parameters"),
    ],
)
def test_a_kernel_that_cannot_run_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_raw_kernel_runs_its_twin(monkeypatch):
    def times(grid, block, n, a, y):
        y[...] = n * a

    monkeypatch.setitem(cupy_standin.TWINS, "times", times)
    y = cupy.zeros(3, "float32")
    cupy.RawKernel("...", "times")((1,), (32,), (np.int32(2), x(), y))
    assert y.tolist() == [4, 4, 4]


def test_cupys_reduction_kernel_is_refused():
    """On a GPU, CuPy compiles such a kernel with NVIDIA's library CUB, which takes seconds at the first step."""
    with pytest.raises(AttributeError, match=r"no cupy\.ReductionKernel"):
        cupy.ReductionKernel("T x", "T y", "x * x", "a + b", "y = sqrt(a)", "0", "norm")


def test_a_fused_function_gives_its_result_in_the_same_dtype():
    @cupy.fuse(kernel_name="scaled")
    def scaled(x, factor):
        return cupy.sqrt(x * x) * factor + 1

    y = scaled(x(), 3.0)
    assert y.dtype == "float32" and y.tolist() == [7, 7, 7]

    @cupy.fuse
    def both(x):
        return x + 1, x - 1

    assert [y.tolist() for y in both(x())] == [[3, 3, 3], [1, 1, 1]]


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda x, beta: (1 - beta) * x, "float16"),
        (lambda x, beta: beta * 2.0 * x, "float16"),
        (lambda x, beta: x.sum() * beta, "sum in a fused"),
        (lambda x, beta: x.reshape(-1, 1) * beta, "reshape in a fused"),
        (lambda x, beta: x[1:] * beta, "index in a fused"),
        (lambda x, beta: cupy.zeros_like(x) * beta, "zeros_like in a fused"),
    ],
)
def test_operations_that_cupy_fuses_wrongly_or_not_at_all_are_refused(function, message):
    with pytest.raises(TypeError, match=message):
        cupy.fuse(kernel_name="f")(function)(x(), 0.9)
    assert x().sum() == 6  # outside of a fused function, sum is legal


def test_a_fused_function_needs_a_name_that_a_kernel_can_have():
    with pytest.raises(ValueError, match="<lambda>"):
        cupy.fuse(lambda x: x)
