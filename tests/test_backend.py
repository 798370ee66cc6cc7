"""A device is chosen or refused with the reason. Random numbers, sums and copies are right."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygan import backend

ROOT = Path(__file__).parent.parent


def in_a_new_process(code):
    """Run Python code in a new process, because use() changes the device of the whole process."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def test_cuda_without_cupy_gives_one_error_with_the_install_command():
    hide = "import sys; sys.modules['cupy'] = None; import tinygan; "
    done = in_a_new_process(hide + "tinygan.use('cuda')")
    assert 'DeviceError: device cuda needs CuPy: pip install -e ".[cuda12]"' in done.stderr.splitlines()[-1]
    assert in_a_new_process(hide + "print(tinygan.use('auto'))").stdout.strip() == "cpu"


@pytest.mark.parametrize(
    "count, name, message", [("raise E('no device')", "cuda", "no CUDA GPU"), ("return 1", "cuda:1", "no cuda:1")]
)
def test_a_missing_gpu_gives_one_error(count, name, message):
    mock = f"""
import sys, types
cupy = types.ModuleType('cupy')
class E(Exception): pass
def count(): {count}
cupy.cuda = types.SimpleNamespace(runtime=types.SimpleNamespace(getDeviceCount=count, CUDARuntimeError=E))
sys.modules['cupy'] = cupy
import tinygan
tinygan.use({name!r})
"""
    assert message in in_a_new_process(mock).stderr.splitlines()[-1]


FAILING = """
import logging, sys, types
cupy = types.ModuleType("cupy")
class E(Exception): pass
def full(*_): raise eval(sys.argv[2])
device = lambda index: types.SimpleNamespace(use=lambda: None)
runtime = types.SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=E)
vars(cupy).update(full=full, fuse=lambda **_: None, cuda=types.SimpleNamespace(runtime=runtime, Device=device))
cupy.__spec__ = types.SimpleNamespace()
sys.modules["cupy"] = cupy
import tinygan
print(tinygan.use(sys.argv[1]))
"""


@pytest.mark.parametrize("name", ["cuda", "auto"])
@pytest.mark.parametrize(
    "error, advice",
    [
        ('RuntimeError("libnvrtc.so.12 was not found")', "install the compiler"),
        ('OSError("libcublas.so.12: cannot open shared object file")', "install the compiler"),
        ('E("cudaErrorMemoryAllocation: out of memory")', "memory of the GPU is full; nvidia-smi"),
        ('MemoryError("cublasCreate_v2 failed with cuBLAS status 1")', "memory of the GPU is full; nvidia-smi"),
        ('PermissionError(13, "Permission denied", "/cache")', "set CUPY_CACHE_DIR"),
    ],
)
def test_a_gpu_that_cannot_compute_is_an_error_but_only_a_warning_with_auto(error, advice, name):
    done = subprocess.run([sys.executable, "-c", FAILING, name, error], capture_output=True, text=True, cwd=ROOT)
    last = done.stderr.splitlines()[-1]
    assert f"cannot compute on it ({error.split('(')[0]}: " in last and advice in last
    assert (done.stdout.strip(), done.returncode) == (("cpu", 0) if name == "auto" else ("", 1))


@pytest.mark.skipif(backend.device == "cpu", reason="needs a GPU, or its stand-in")
def test_a_process_uses_one_gpu(monkeypatch):
    monkeypatch.setattr(backend.xp.cuda.runtime, "getDeviceCount", lambda: 9)
    monkeypatch.setattr("tinygan.backend.cuda._used", 0)
    with pytest.raises(backend.DeviceError, match="uses cuda:0: start a new process, or a new kernel, to use cuda:8"):
        backend.use("cuda:8")


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:x", "CPU", ""])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(ValueError, match="no device is called"):
        backend.use(name)


def test_random_numbers_have_their_distribution(rng):
    n, u = backend.to_host(rng.normal((1000, 100))), backend.to_host(rng.uniform((1000, 100)))
    assert n.dtype == u.dtype == np.float32
    assert n.mean() == pytest.approx(0, abs=0.02) and n.std() == pytest.approx(1, abs=0.02)
    assert (n**4).mean() == pytest.approx(3, abs=0.15)
    assert u.min() >= 0 and u.max() < 1 and u.mean() == pytest.approx(0.5, abs=0.01)
    assert rng.normal((2,), "float64").dtype == np.float64


def test_equal_seeds_draw_equal_numbers_and_each_draw_differs():
    a, b = backend.RNG(3), backend.RNG(3)
    first = backend.to_host(a.normal((5,)))
    assert (first == backend.to_host(b.normal((5,)))).all()
    assert (first != backend.to_host(a.normal((5,)))).all()


def test_an_rng_continues_from_its_saved_state(rng):
    rng.normal((3,))
    other = backend.RNG(99)
    other.load_state_dict({name: backend.to_host(a).copy() for name, a in rng.state_dict().items()})
    assert (backend.to_host(rng.uniform((7,))) == backend.to_host(other.uniform((7,)))).all()


def test_a_random_state_of_another_device_is_refused(rng):
    with pytest.raises(ValueError, match="random state"):
        rng.load_state_dict({"state": np.zeros(3, "uint64")})


def test_column_sums_equal_numpys(rng, kernels):
    for shape in ((50, 7), (300, 9, 9, 64), (3, 1), (5000,), (0, 3)):
        x = rng.normal(shape, "float64")
        columns = shape[-1] if len(shape) > 1 else 1
        sums, squares = map(backend.to_host, backend.column_sums(powers, x))
        host = backend.to_host(x).reshape(-1, columns)
        np.testing.assert_allclose(sums, host.sum(0), atol=1e-12)
        np.testing.assert_allclose(squares, (host**2).sum(0))
        np.testing.assert_array_equal(backend.to_host(backend.column_sums(identity, x)), sums)


def powers(x):
    return x, x * x


def identity(x):
    return x


def test_more_arrays_than_a_kernel_takes_are_copied():
    arrays = [backend.xp.full((1 + i % 3, 2), float(i)).T for i in range(1200)]
    copies = [backend.xp.zeros(a.shape) for a in arrays]
    backend.copy_into(copies, arrays)
    assert all((backend.to_host(copy) == i).all() for i, copy in enumerate(copies))


@pytest.mark.parametrize("source", [((3,), "float64"), ((2,), "float32"), ((1, 3), "float32")])
def test_a_copy_of_another_shape_or_dtype_is_refused(source):
    with pytest.raises(ValueError, match="one shape and dtype; got"):
        backend.copy_into([backend.xp.zeros(3, "float32")], [backend.xp.zeros(*source)])


needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs Numba (extra fast)")


@needs_numba
def test_numba_that_cannot_be_used_is_reported_and_numpy_computes(monkeypatch, caplog):
    monkeypatch.setenv(backend.KERNELS, "")
    monkeypatch.setitem(sys.modules, "tinygan.backend.compiled", None)  # makes its import raise ImportError
    assert backend._choose_kernels(1) is backend.cpu
    assert "Numba is installed but cannot be used" in caplog.text
