"""pytest [--device cuda]: the whole suite on another device."""

import pytest

import tinygan
from tinygan import backend


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="the device that the tests run on: cpu, cuda or cuda:N")


def pytest_configure(config):
    tinygan.use(config.getoption("--device"))


def pytest_report_header():
    return f"device: {backend.device}"


@pytest.fixture
def rng():
    return backend.Generator(0)
