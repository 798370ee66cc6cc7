"""A run continues after its data was moved, and warns if the data has changed."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from commands import ROOT, device, sample, train
from idx_files import idx
from image_files import marked, save
from runs import new_run

from tinygan import data
from tinygan.app.runs import Run, RunError
from tinygan.metrics import evaluator


def config(folder):
    return json.loads((folder / "config.json").read_text())


@pytest.fixture
def moved(tiny, tmp_path):
    """Train the run "r" on data in the folder "here", and rename "here" to "there". Return the folder above them."""
    shutil.copytree(tiny, tmp_path / "here")
    words = ["--data", "here", "--preset", "vanilla", "--batch-size", "4", "--max-steps", "3", "--out", "r"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "--device", device(), *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert config(tmp_path / "r")["data"] == str(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    return tmp_path


def test_a_resumed_run_finds_moved_data_with_option_data(moved):
    lost = train("--resume", moved / "r", "--max-steps", 4)
    assert lost.returncode == 1 and "If the data was moved, give its new path with --data" in lost.stderr
    found = train("--resume", moved / "r", "--max-steps", 4, "--data", moved / "there")
    assert found.returncode == 0 and found.stderr == ""
    assert config(moved / "r")["data"] == str(moved / "there")
    images = np.random.default_rng(1).integers(0, 256, (88, 8, 8), dtype=np.uint8)
    (moved / "there" / "train-images").write_bytes(idx(images))
    other = train("--resume", moved / "r", "--max-steps", 5)
    assert other.returncode == 0 and "has changed since this run began" in other.stderr


def test_sample_finds_moved_data_with_option_data(moved):
    words = moved / "r", "--nearest", "--n", 2, "--out", moved / "a.png"
    lost = sample(*words)
    assert lost.returncode == 1 and "If the data was moved, give its new path with --data" in lost.stderr
    found = sample(*words, "--data", moved / "there")
    assert found.returncode == 0 and found.stderr == "" and (moved / "a.png").exists()
    assert config(moved / "r")["data"] == str(moved / "here")  # sample.py changes nothing in the run


@pytest.fixture
def pictures(tmp_path):
    """Make a folder with training and test images of two classes."""
    for i in range(24):
        path = tmp_path / "pictures" / ("train" if i < 12 else "test") / "ab"[i % 2] / f"{i}.png"
        save(path, marked(i))
    return tmp_path / "pictures"


def test_an_image_that_was_damaged_after_the_start_of_a_run_can_be_left_out(pictures, tmp_path):
    run = new_run(tmp_path / "r", "vanilla", str(pictures), (28, 28, 1), 2, batch_size=4)
    assert len(run.dataset().images) == 12
    damaged = pictures / "train" / "a" / "0.png"
    damaged.write_bytes(b"no")
    words = run.folder, "--nearest", "--n", 2, "--out", tmp_path / "a.png"
    refused = sample(*words)
    assert refused.returncode == 1 and "--skip-broken leaves such files out" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    found = sample(*words, "--skip-broken")
    assert found.returncode == 0 and "11 training images" in found.stdout and "left out:" in found.stderr
    run.save(training=run.settings.training(), batches=data.Batches(data.toy.load("ring"), 4, 0))
    del run  # releases the lock
    resumed = train("--resume", tmp_path / "r", "--skip-broken")
    assert (
        resumed.returncode == 1
        and "the run was trained on 6400 images, but the data has 11: --from begins" in resumed.stderr
    )


def test_damaged_test_images_are_not_replaced_by_training_images(pictures):
    (pictures / "test" / "a" / "12.png").write_bytes(b"no")
    with pytest.raises(data.DataError, match=r"12\.png.*--skip-broken leaves such files out"):
        evaluator.splits(str(pictures))
    _, test, note = evaluator.splits(str(pictures), skip_broken=True)
    assert len(test.images) == 11 and note is None
    (pictures / "testing").mkdir()
    with pytest.raises(data.DataError, match="several folders of test images: test, testing"):
        evaluator.splits(str(pictures))


def test_the_hash_of_data_depends_on_images_and_labels(labelled):
    loaded = data.load(labelled)
    assert loaded.sha256 == data.load(labelled).sha256
    assert loaded.sha256 != loaded._replace(labels=None).sha256
    assert loaded.sha256 != loaded._replace(images=loaded.images + 1).sha256


STRANGE = {"commit": "\x1b]0;owned\x07", "kernels": ["numpy"], "versions": {"numpy": 7, "$(reboot)": "1"}, "PS1": "x"}


def test_unknown_keys_and_malformed_versions_in_config_json_are_ignored(trained, tmp_path):
    folder = shutil.copytree(trained[0], tmp_path / "r")
    (folder / "config.json").write_text(json.dumps({**config(folder), **STRANGE}))
    run = Run.open(folder)
    assert run.about == {"versions": {}}
    run.write_config()
    assert config(folder).keys() == config(trained[0]).keys() and "owned" not in (folder / "config.json").read_text()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"steps": 1e999}', "\ud800".encode("utf-8", "surrogatepass"), "[]"])
def test_a_wrong_config_json_is_refused_in_one_sentence(trained, tmp_path, text):
    folder = shutil.copytree(trained[0], tmp_path / "r")
    (folder / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RunError, match=r"config\.json was not written by this version"):
        Run.open(folder)


def test_a_folder_with_other_files_is_refused_and_not_changed(tiny, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    done = train("--data", tiny, "--batch-size", 4, "--out", tmp_path)
    assert done.returncode == 1 and "contains other files (thesis.tex): choose another --out" in done.stderr
    assert os.listdir(tmp_path) == ["thesis.tex"]
