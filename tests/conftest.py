"""Options and fixtures of the suite.

pytest --device cuda: run the suite on a GPU.
pytest --device standin: run the code for CUDA on a stand-in for CuPy that computes with NumPy (cupy_standin.py).
pytest --slow: also run the tests that take minutes.
"""

import cupy_standin
import pytest
from browser import BROWSER, MISSING, Browser
from commands import labelled, tiny, trained  # noqa: F401  (fixtures for all tests)

import tinygan
from tinygan import backend


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="device of the tests: cpu, cuda, cuda:N or standin")
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_configure(config):
    device = config.getoption("--device")
    if device == "standin":
        cupy_standin.install()
        device = "cuda"
    tinygan.use(device)
    backend.tune()


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        slow = [item for item in items if "slow" in item.keywords]
        items[:] = [item for item in items if "slow" not in item.keywords]
        config.hook.pytest_deselected(items=slow)


def pytest_collection_finish(session):
    """Start the tests on the stand-in in another process, and move the test that waits for it to the end.

    The tests on the stand-in take about as long as all others. So both run at the same time.
    """
    waits = [item for item in session.items if item.name == "test_the_suite_passes_on_the_standin"]
    if waits and backend.device == "cpu" and not session.config.option.collectonly:
        session.config.standin = waits[0].module.start_suite()
        session.items.sort(key=lambda item: item in waits)


def pytest_unconfigure(config):
    if hasattr(config, "standin"):
        config.standin[0].kill()


def pytest_report_header():
    return f"device: {backend.device}, computed by {backend.kernels()}"


@pytest.fixture(scope="module", params=["numpy", "numba"])
def kernels(request):
    """Run the tests of a module twice on the CPU: with NumPy and with Numba's compiled loops."""
    if backend.device != "cpu":
        if request.param == "numba":
            pytest.skip("Numba computes on the CPU only")
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(backend.KERNELS, request.param)
        try:
            backend.tune()
        except ValueError as error:  # there is no Numba, or no OpenMP for it
            pytest.skip(str(error))
        assert backend.kernels() == request.param
        yield
    backend.tune()


@pytest.fixture
def rng():
    return backend.RNG(0)


@pytest.fixture(scope="session")
def chromium():
    """Start one headless Chromium for all tests that open a page."""
    if BROWSER is None:
        pytest.skip(MISSING)
    with Browser() as started:
        yield started


@pytest.fixture
def browser(chromium):
    """Return the shared Chromium. At the end of the test, close the pages that it has opened."""
    yield chromium
    chromium.close_pages()
