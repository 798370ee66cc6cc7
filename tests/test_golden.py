"""Three steps of each preset, and of the options that no preset uses, compute the numbers in golden.json."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from golden import CASES, FILE

from tinygan import backend

GOLDEN = json.loads(FILE.read_text())
pytestmark = pytest.mark.skipif(backend.device != "cpu", reason="the random numbers of other devices are different")


def computed(kernels, dtype):
    script = Path(__file__).with_name("golden.py")
    done = subprocess.run(
        [sys.executable, script, dtype], capture_output=True, text=True, env={**os.environ, backend.KERNELS: kernels}
    )
    if kernels == "numba" and "numba" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def in_float64():
    return computed("numpy", "float64")


@pytest.fixture(scope="module")
def with_numba():
    return computed("numba", "float32")


def test_there_is_a_golden_number_for_each_case():
    assert GOLDEN.keys() == CASES.keys()


@pytest.mark.parametrize("case", CASES)
def test_steps_in_float64_compute_the_golden_numbers(case, in_float64):
    found, golden = in_float64[case], GOLDEN[case]
    np.testing.assert_allclose(found["metrics"], golden["metrics"], rtol=2e-6, atol=1e-9)  # history is float32
    assert found["arrays"].keys() == golden["arrays"].keys()
    for name, values in golden["arrays"].items():
        np.testing.assert_allclose(found["arrays"][name], values, rtol=1e-8, atol=1e-8 * values[0], err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_steps_in_float32_with_numba_compute_the_golden_numbers_to_rounding(case, with_numba):
    """The first step is exact to rounding. Adam then divides small gradients by their own size, rounding included."""
    found, golden = np.array(with_numba[case]["metrics"]), np.array(GOLDEN[case]["metrics"])
    np.testing.assert_allclose(found[0], golden[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found, golden, rtol=0.05, atol=0.02)
