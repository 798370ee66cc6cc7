"""Run the scripts as a user does. The fixtures are tiny data sets and a finished run on one of them."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from idx_files import idx

from tinygan import backend

ROOT = Path(__file__).parent.parent


def run(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options):
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, stdout=stdout, stderr=stderr, text=True, cwd=ROOT, **options)


def device():
    """Return the device for scripts: the device of the tests, or the CPU if the tests use the stand-in for CuPy.

    A script runs in a new process, where the stand-in is not installed.
    """
    return backend.device if backend.device == "cpu" or hasattr(backend.xp, "__version__") else "cpu"


def train(*words, **options):
    return run("train.py", "--device", device(), *words, **options)


def sample(*words, **options):
    return run("sample.py", "--device", device(), *words, **options)


def lines(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def checkpoint(folder, name="last"):
    with np.load(folder / "checkpoint" / f"{name}.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Make a folder with 88 images of 8 x 8 pixels. With batches of 4, an epoch has 22 steps."""
    folder = tmp_path_factory.mktemp("tiny")
    images = np.random.default_rng(0).integers(0, 256, (88, 8, 8), dtype=np.uint8)
    (folder / "train-images").write_bytes(idx(images))
    return folder


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """Make a folder with 40 images of three classes."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "train-images").write_bytes(idx(np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)))
    (folder / "train-labels").write_bytes(idx(np.arange(40) % 3))
    return folder


@pytest.fixture(scope="session")
def trained(tiny, tmp_path_factory):
    """Train for two epochs. Return the run folder and the finished process."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    done = train("--data", tiny, "--batch-size", 4, "--epochs", 2, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder, done
