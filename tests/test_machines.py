"""On a machine without OpenMP, or with another OpenBLAS, training is as correct, and one line says what is missing."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from commands import ROOT

from tinygan import backend

if backend.device != "cpu":
    pytest.skip("for the CPU", allow_module_level=True)

COMPUTE = """
import hashlib, sys, threading
if "without" in sys.argv:
    sys.modules["numba.np.ufunc.omppool"] = None  # its import fails, as without libgomp
import numpy as np
from tinygan import backend

def square_of(x):
    return x * x

def work(found):
    for _ in range(20):
        y = backend.conv2d(x, w, (2, 2), (1, 1))
        arrays = y, backend.matmul(y.reshape(-1, 16), w.reshape(-1, 16).T), *backend.mean_and_variance(y), square(y)
        found.add(hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest())

backend.tune(2)
square = backend.fuse(square_of)
x, w = (np.random.default_rng(0).standard_normal(shape, "float32") for shape in ((37, 14, 14, 8), (4, 4, 8, 16)))
found = set()
threads = [threading.Thread(target=work, args=(found,)) for _ in range(4 if "without" in sys.argv else 1)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
import numba
print(numba.threading_layer(), backend.kernels(), *found)
"""


@pytest.fixture
def in_a_process(tmp_path):
    """Return a function that runs a program with these arguments."""

    def run(code, *words):
        (tmp_path / "program.py").write_text(code)
        command = [sys.executable, str(tmp_path / "program.py"), *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)

    return run


@pytest.mark.skipif(not importlib.util.find_spec("numba"), reason="needs Numba")
def test_without_openmp_four_threads_of_python_get_the_bits_of_openmp_and_one_line_names_the_remedy(in_a_process):
    with_openmp, without = in_a_process(COMPUTE), in_a_process(COMPUTE, "without")
    assert without.returncode == 0, without.stderr  # Numba aborts a process with two threads in its own layer
    layer, kernels, *bits = without.stdout.split()
    assert (layer, kernels, len(bits)) == ("workqueue", "numba", 1)
    assert without.stderr.count("\n") == 1 and "Numba finds no OpenMP" in without.stderr
    if with_openmp.stdout.startswith("omp"):  # this machine has it
        assert with_openmp.stdout.split()[1:] == [kernels, *bits]


ELSEWHERE = """
import ctypes, sys
from tinygan.backend.cpu import threads
library = ctypes.CDLL(sys.argv[1])
count = next(getattr(library, name.replace("set", "get")) for name in threads.NAMES if hasattr(library, name))
set_count = next(getattr(library, name) for name in threads.NAMES if hasattr(library, name))
set_count(2)
before = count()
threads.tune()
print(before, count())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="as in Debian")
@pytest.mark.parametrize("place", ["openblas-pthread/libblas.so.3", "a b/libopenblasp-r0.3.30.so"])
def test_openblas_gets_one_thread_wherever_it_lies(place, tmp_path, in_a_process):
    shipped = sorted((Path(numpy.__file__).parent.parent / "numpy.libs").glob("*openblas*"))
    if not shipped:
        pytest.skip("this NumPy comes without OpenBLAS")
    (tmp_path / place).parent.mkdir()
    (tmp_path / place).write_bytes(shipped[0].read_bytes())
    done = in_a_process(ELSEWHERE, tmp_path / place)
    assert done.stdout.split() == ["2", "1"], done.stderr
