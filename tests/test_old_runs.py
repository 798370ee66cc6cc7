"""Runs of version 0.1.0 (commit 751bc84) can be resumed, sampled, exported and begun from.

fixtures/runs-0.1.0.zip has a dcgan that was stopped, a finished cgan on groups of similar images, both on 88 random
images, and a finished vanilla on the ring. Each folder has images.npy: what the run drew under 0.1.0 for fixed inputs.
"""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from commands import checkpoint, lines, run, train

import tinygan
from tinygan import backend

RUNS = "dcgan-stopped", "cgan-finished", "ring-finished"
FILE = Path(__file__).parent / "fixtures" / "runs-0.1.0.zip"
pytestmark = pytest.mark.skipif(backend.device != "cpu", reason="the runs are from a CPU")


@pytest.fixture
def old(tmp_path):
    """Unpack the runs. Their data was moved."""
    with zipfile.ZipFile(FILE) as archive:
        archive.extractall(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_draws_the_images_that_it_drew(name, old):
    model = tinygan.load(old / name)
    expected = np.load(old / name / "images.npy")
    latent = np.random.default_rng(0).standard_normal((6, model.latent_size), np.float32)
    images = model.generate(latent, np.arange(6) % model.classes if model.classes else None)
    np.testing.assert_allclose(images.astype(float), expected, atol=1e-5 if expected.dtype.kind == "f" else 1)


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_is_resumed_and_says_that_another_version_began_it(name, old):
    moved = [] if name.startswith("ring") else ["--data", old / "tiny"]
    last = int(checkpoint(old / name)["training.steps"][0]) // 10 * 10 + 10  # the log has a row every 10 steps
    done = train("--resume", old / name, *moved, "--epochs", 100, "--max-steps", last)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "another version of tinygan" in line]
    assert checkpoint(old / name)["training.steps"][0] == last
    rows = lines(old / name / "log.csv")[1:]
    assert int(rows[-1][0]) == last and np.isfinite(np.array(rows, float)).all()


def test_an_old_run_is_exported_and_begun_from_and_evaluate_says_why_it_is_not_evaluated(old):
    done = run("sample.py", old / "cgan-finished", "--device", "cpu", "--out", old / "generator.npz")
    assert done.returncode == 0, done.stderr
    with np.load(old / "generator.npz") as exported:
        last = exported[[name for name in exported.files if name.endswith("weight")][-1]]
    saved = checkpoint(old / "cgan-finished")
    weights = [saved[name] for name in saved if name.startswith("training.ema.network.") and name.endswith("weight")]
    # no BatchNorm is folded into the last layer; its weights are in another order
    assert (np.sort(last, None) == np.sort(weights[-1], None)).all()
    done = train("--from", old / "dcgan-stopped", "--data", old / "tiny", "--max-steps", 1, "--out", old / "new")
    assert done.returncode == 0 and "begins   with the weights of" in done.stdout, done.stderr
    for name, reason in ("ring-finished", "is a run on toy data"), ("cgan-finished", "needs labels of at least two"):
        done = run("evaluate.py", old / name, "--device", "cpu", "--data", old / "tiny")
        assert done.returncode == 1 and reason in done.stderr
