"""pytest [--device cuda]: the whole suite on another device.

--device standin: on the CUDA path, with NumPy in CuPy's clothes instead of a GPU (cupy_standin.py).
"""

import cupy_standin
import pytest

import tinygan
from tinygan import backend


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="what the tests run on: cpu, cuda, cuda:N or standin")


def pytest_configure(config):
    device = config.getoption("--device")
    if device == "standin":
        cupy_standin.install()
        device = "cuda"
    tinygan.use(device)


def pytest_report_header():
    return f"device: {backend.device}"


@pytest.fixture
def rng():
    return backend.Generator(0)
