"""The stand-in for CuPy refuses what CuPy refuses, and the tests of SUITE pass on it.

The rules come from the source of CuPy 14. test_cupy_names.py compares names and arguments with the real CuPy.
"""

import operator
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cupy_standin
import numpy as np
import pytest
from cupy_standin import CUDARuntimeError, capturing

from tinygan import Tensor, backend

ROOT = Path(__file__).parent.parent
cupy = cupy_standin.module()  # without install(): tinygan keeps the device of this process

HOST = np.ones(3, "float32")


def x(n=3):
    return cupy.full(n, 2.0, "float32")


def scratch():
    return cupy.zeros(3, "float32")


def nested_capture():
    with capturing(), capturing():
        pass


REFUSED = {  # operations that are always refused
    "numpy.asarray of an array": (lambda: np.asarray(x()), TypeError, "Implicit conversion"),
    "a numpy function that the stand-in lacks": (lambda: np.median(x()), TypeError, "median"),
    "a numpy method on an array": (lambda: np.add.reduce(x()), TypeError, "reduce"),
    "array + numpy.ndarray": (lambda: x() + HOST, TypeError, "Unsupported type"),
    "numpy.ndarray + array": (lambda: HOST + x(), TypeError, "Unsupported type"),
    "array += numpy.ndarray": (lambda: operator.iadd(x(), HOST), TypeError, "Unsupported type"),
    "array < numpy.ndarray": (lambda: x() < HOST, TypeError, "Unsupported type"),
    "array * list": (lambda: x() * [1.0, 2.0, 3.0], TypeError, "Unsupported type"),
    "array @ numpy.ndarray": (lambda: x() @ HOST, TypeError, "Unsupported type"),
    "maximum(array, numpy.ndarray)": (lambda: cupy.maximum(x(), HOST), TypeError, "Unsupported type"),
    "maximum(array, list)": (lambda: cupy.maximum(x(), [0.0] * 3), TypeError, "Unsupported type"),
    "concatenate([array, numpy.ndarray])": (lambda: cupy.concatenate([x(), HOST]), TypeError, "Unsupported type"),
    "sqrt(array, out=numpy.ndarray)": (lambda: cupy.sqrt(x(), out=HOST), TypeError, "output"),
    "array[...] = numpy.ndarray": (lambda: operator.setitem(x(), ..., HOST), ValueError, "cannot be used for fill"),
    "array[...] = list": (lambda: operator.setitem(x(), ..., [1.0, 2.0, 3.0]), TypeError, "Unsupported type"),
    "an array of strings": (lambda: cupy.asarray(["a"]), ValueError, "Unsupported dtype"),
    "a 0-d array as a count": (lambda: range(x().sum()), TypeError, "integer"),
    "a slice from a 0-d array": (lambda: x()[cupy.asarray(1) :], TypeError, "slice"),
    "iterating over a 0-d array": (lambda: list(x().sum()), TypeError, "0-d"),
    "hashing": (lambda: {x()}, TypeError, "unhashable"),
    "exp(where=)": (lambda: cupy.exp(x(), where=x() > 0), TypeError, "where"),
    "sum(where=)": (lambda: x().sum(where=x() > 0), TypeError, "where"),
    "asarray(like=)": (lambda: cupy.asarray([1], like=x()), TypeError, "like"),
    "take(mode=)": (lambda: x().take(x().astype(int), mode="clip"), TypeError, "mode"),
    "as_strided(writeable=)": (lambda: cupy.lib.stride_tricks.as_strided(x(), writeable=False), TypeError, "writeable"),
    "a name outside the table": (lambda: cupy.median, AttributeError, "cupy.median"),
    "a method outside the table": (lambda: x().sort, AttributeError, "ndarray.sort"),
    "cupy.random": (lambda: cupy.random, AttributeError, "cupy.random"),
    "float64 into float32": (lambda: operator.iadd(x(), cupy.ones(3).astype(complex)), TypeError, "Cannot cast"),
    "a second capture within one": (nested_capture, CUDARuntimeError, "already"),
    "capture on the default stream": (lambda: cupy.cuda.Stream.null.begin_capture(), CUDARuntimeError, "new stream"),
    "the end of a capture that never began": (lambda: cupy.cuda.Stream().end_capture(), CUDARuntimeError, "no graph"),
}  # fmt: skip


CAPTURE = "StreamCaptureUnsupported"
REFUSED_IN_CAPTURE = {  # operations that are refused in a capture and legal elsewhere
    "get": (lambda a: a.get(), CUDARuntimeError, CAPTURE),
    "item": (lambda a: a[0].item(), CUDARuntimeError, CAPTURE),
    "tolist": (lambda a: a.tolist(), CUDARuntimeError, CAPTURE),
    "float": (lambda a: float(a[0]), CUDARuntimeError, CAPTURE),
    "int": (lambda a: int(a[0]), CUDARuntimeError, CAPTURE),
    "bool": (lambda a: bool(a[0] > 0), CUDARuntimeError, CAPTURE),
    "if": (lambda a: 1 if a.sum() > 0 else 0, CUDARuntimeError, CAPTURE),
    "repr": (lambda a: repr(a), CUDARuntimeError, CAPTURE),
    "format": (lambda a: f"{a[0]:.1f}", CUDARuntimeError, CAPTURE),
    "asnumpy": (lambda a: cupy.asnumpy(a), CUDARuntimeError, CAPTURE),
    "synchronize": (lambda a: cupy.cuda.Stream(non_blocking=True).synchronize(), CUDARuntimeError, CAPTURE),
    "asarray of a numpy.ndarray": (lambda a: cupy.asarray(HOST), CUDARuntimeError, CAPTURE),
    "asarray of a number": (lambda a: cupy.asarray(1.0), CUDARuntimeError, CAPTURE),
    "array of a list": (lambda a: cupy.array([1.0, 2.0]), CUDARuntimeError, CAPTURE),
    "set": (lambda a: a.set(HOST), CUDARuntimeError, CAPTURE),
    "a mask as index": (lambda a: a[a > 0], CUDARuntimeError, CAPTURE),
    "assignment by a mask": (lambda a: operator.setitem(a, a > 0, 1.0), CUDARuntimeError, CAPTURE),
    "a list as index": (lambda a: a[[0, 1]], CUDARuntimeError, CAPTURE),
    "a numpy.ndarray as index": (lambda a: a[np.array([0, 1])], CUDARuntimeError, CAPTURE),
    "assignment by a list": (lambda a: operator.setitem(a, [0, 1], a[:2]), CUDARuntimeError, CAPTURE),
    "a number at array indices": (lambda a: operator.setitem(a, cupy.zeros(1, int), 1.0), CUDARuntimeError, CAPTURE),
    "take by a list": (lambda a: a.take([0, 1]), CUDARuntimeError, CAPTURE),
    "where of one argument": (lambda a: cupy.where(a > 0), CUDARuntimeError, CAPTURE),
    "nonzero": (lambda a: cupy.nonzero(a), CUDARuntimeError, CAPTURE),
    "argwhere": (lambda a: cupy.argwhere(a), CUDARuntimeError, CAPTURE),
    "unique": (lambda a: cupy.unique(a), CUDARuntimeError, CAPTURE),
    "shares_memory": (lambda a: cupy.shares_memory(a, a), CUDARuntimeError, CAPTURE),
    "nine small arrays joined": (lambda a: cupy.concatenate([a] * 9), CUDARuntimeError, "joining 9"),
    "nine small arrays stacked": (lambda a: cupy.stack([a] * 9), CUDARuntimeError, "joining 9"),
    "@": (lambda a: a @ a, NotImplementedError, "cuBLAS"),
    "matmul": (lambda a: cupy.matmul(a, a), NotImplementedError, "cuBLAS"),
    "dot": (lambda a: cupy.dot(a, a), NotImplementedError, "cuBLAS"),
    "array.dot": (lambda a: a.dot(a), NotImplementedError, "cuBLAS"),
    "array.T @": (lambda a: a[:, None].T @ a, NotImplementedError, "cuBLAS"),
    "tensordot": (lambda a: cupy.tensordot(a, a, 1), NotImplementedError, "cuBLAS"),
    "einsum": (lambda a: cupy.einsum("i,i", a, a), NotImplementedError, "cuBLAS"),
}  # fmt: skip

CAPTURED = {  # name: (operation, its value for a = [2, 2, 2] and out = [0, 0, 0])
    "arithmetic with scalars": (lambda a, out: 1 / (a * 2.0 + np.float32(1)) - 0.2, 0.0),
    "a numpy scalar on the left": (lambda a, out: np.float32(3) * a, 6.0),
    "out=": (lambda a, out: cupy.sqrt(a * a, out=out), 2.0),
    "in place": (lambda a, out: operator.iadd(out, a), 2.0),
    "sums": (lambda a, out: a.sum() + a.mean(axis=0, keepdims=True), 8.0),
    "arange": (lambda a, out: cupy.arange(3) * 0, 0),
    "zeros, ones, full": (lambda a, out: cupy.zeros(3) + cupy.ones(3) + cupy.full(3, 2.0), 3.0),
    "a number into a slice": (lambda a, out: operator.setitem(out, slice(1), 5.0) or a, 2.0),
    "an array into a slice": (lambda a, out: operator.setitem(out, ..., a) or out, 2.0),
    "fill": (lambda a, out: out.fill(4.0) or out, 4.0),
    "gathering by an array": (lambda a, out: a.take(cupy.zeros(2, int)) + a[cupy.zeros(1, int)], 4.0),
    "an array at array indices": (lambda a, out: operator.setitem(out, cupy.arange(3), a) or out, 2.0),
    "where of three arguments": (lambda a, out: cupy.where(a > 0, a, out), 2.0),
    "eight small arrays joined": (lambda a, out: cupy.concatenate([a] * 8), 2.0),
    "nine arrays of two dtypes": (lambda a, out: cupy.concatenate([a] * 8 + [a.astype("float64")]), 2.0),
    "views": (lambda a, out: a[:2].reshape(2, 1).T[None, ...].squeeze(), 2.0),
    "0-d results": (lambda a, out: a.sum() * a[0], 12.0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_operations_that_cupy_refuses_are_refused(name):
    what, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        what()


@pytest.mark.parametrize("name", REFUSED_IN_CAPTURE)
def test_operations_that_cupy_cannot_capture_are_refused_only_in_a_capture(name):
    what, error, message = REFUSED_IN_CAPTURE[name]
    what(x())
    a = x()
    with pytest.raises(error, match=message), capturing():
        what(a)
    what(x())


@pytest.mark.parametrize("name", CAPTURED)
def test_captured_operations_run_at_each_launch_and_not_before(name):
    what, expected = CAPTURED[name]
    a, out, stream = x(), scratch(), cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        result = what(a, out)
        graph = stream.end_capture()
    assert out.tolist() == [0, 0, 0]
    graph.launch()
    assert isinstance(result, cupy.ndarray)
    np.testing.assert_allclose(result.get(), expected, atol=1e-6)


def test_a_launch_uses_current_device_arrays_and_the_host_values_of_the_capture():
    a, total, rate, stream = x(), scratch(), 10.0, cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        y = a * rate
        total += y
        graph = stream.end_capture()
    rate = 1000.0
    graph.launch()
    a += 1
    graph.launch(stream)
    assert y.tolist() == [30, 30, 30] and total.tolist() == [50, 50, 50]


def test_waits_and_transfers_are_counted():
    before = cupy_standin.counts.copy()
    float(cupy.asarray(HOST).sum())
    a = x() * x() + 1
    assert a.size == 3 and cupy_standin.counts - before == {"waits": 1, "transfers": 1}


def test_results_stay_arrays_and_keep_their_dtype():
    for y in (x().sum(), x()[0], x().sum() * 2.0, abs(x()[0]), x()[0] > 0):
        assert isinstance(y, cupy.ndarray) and y.shape == ()
    assert (x().sum() * 2.0).dtype == "float32" and (x() * np.float64(2)).dtype == "float64"


def test_host_and_device_share_no_memory():
    host = HOST.copy()
    device = cupy.asarray(host)
    host[:] = 9
    back = device.get()
    back[:] = 9
    assert device.tolist() == [1, 1, 1]


def test_a_tensor_on_the_right_is_asked_to_do_the_operation():
    for name in ("__add__", "__rsub__", "__mul__", "__matmul__", "__pow__", "__lt__"):
        assert getattr(x(), name)(Tensor(backend.xp.ones(3))) is NotImplemented, name


SUITE = (  # the test modules that also run on the stand-in
    "backend backend_functions checkpoint convolution corners cuda_blas cuda_fusion cuda_graph cuda_kernels "
    "data engine gan gradients health layers losses networks optim spectral standin_step".split()
)
NOT_HERE = {  # test: why it does not run on the stand-in
    "test_data.py::test_a_mutated_file_is_read_or_refused": "files are read without the device",
    "test_checkpoint.py::test_a_mutated_file_is_refused_or_read_unchanged": "files are read without the device",
}


def start_suite():
    """Start the tests of SUITE on the stand-in, in another process. Return (process, output file)."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--device", "standin"]
    files = [f"tests/test_{name}.py" for name in SUITE]
    deselected = [f"--deselect=tests/{test}" for test in NOT_HERE]
    output = tempfile.TemporaryFile("w+")
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [*command, *files, *deselected]
    return subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, env=alone), output


@pytest.mark.skipif(backend.device != "cpu", reason="the suite is started only from a run on the CPU")
def test_the_suite_passes_on_the_standin(request):
    """Wait for the process that conftest.py started before the first test."""
    process, output = request.config.standin
    process.wait()
    output.seek(0)
    assert process.returncode == 0, output.read()[-7000:]
