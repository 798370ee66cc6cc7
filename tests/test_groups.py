"""Groups of similar images are found, used as classes, and kept when a run is resumed.

Samples are drawn from the groups in proportion to their sizes.
"""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from commands import checkpoint, run, train
from games import build
from idx_files import idx
from runs import new_run

from tinygan import backend
from tinygan.app import groups as app_groups
from tinygan.app.runs import RunError
from tinygan.data import Dataset, groups

SIZES = (60, 40, 20)


def kinds(noise=10):
    """Return 120 images in random order, and the kind of each: 0 (60 images), 1 (40 images) or 2 (20 images).

    The images of a kind are the same pattern with different noise.
    """
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 256, (3, 8, 8, 1))
    kind = rng.permutation(np.repeat(np.arange(3), SIZES))
    images = patterns[kind] + rng.normal(0, noise, (len(kind), 8, 8, 1))
    return images.clip(0, 255).astype(np.uint8), kind


def test_groups_are_the_kinds_of_images_and_the_largest_comes_first():
    images, kind = kinds()
    found = groups.find(images, 3)
    assert found.dtype == np.uint8 and (found == kind).all()
    assert (groups.find(images, 3) == found).all()


def test_the_principal_components_have_the_largest_variances():
    images, _ = kinds(noise=60)
    x = images.reshape(len(images), -1).astype(np.float64)
    variances = np.linalg.eigvalsh(np.cov(x, rowvar=False))[::-1]
    found = groups.project(images, 4, np.random.default_rng(0)).var(0, ddof=1)
    assert found == pytest.approx(variances[:4], rel=0.02)


def test_images_that_are_all_alike_are_one_group():
    assert groups.find(np.full((30, 4, 4, 1), 7, np.uint8), 5).tolist() == [0] * 30


def test_samples_are_drawn_in_proportion_to_the_sizes_of_the_groups():
    training = build("cgan")
    training.class_sizes = SIZES
    classes = backend.to_host(training.mixed_classes(1200))
    assert np.bincount(classes) == pytest.approx(np.array(SIZES) * 10, abs=3)
    assert set(classes[:10].tolist()) == {0, 1, 2}  # the classes are mixed, not sorted


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    """Train for one epoch on images of three kinds. Return the folder with images and run, and the finished process."""
    folder = tmp_path_factory.mktemp("groups")
    (folder / "train-images").write_bytes(idx(kinds()[0][..., 0]))
    done = train("--data", folder, "--groups", 3, "--batch-size", 12, "--epochs", 1, "--out", folder / "r")
    assert done.returncode == 0, done.stderr
    return folder, done


def drawn(folder, *words):
    done = run("sample.py", folder / "r", "--device", "cpu", "--out", folder / "a.npz", *words)
    assert done.returncode == 0, done.stderr
    with np.load(folder / "a.npz") as file:
        return file["labels"].tolist()


def test_a_run_on_data_without_labels_uses_groups_as_classes(unlabelled):
    folder, done = unlabelled
    config = json.loads((folder / "r" / "config.json").read_text())
    assert (config["preset"], config["classes"], config["groups"]) == ("cgan", 3, list(SIZES))
    assert "groups   3, of 20 to 60 similar images, used as classes" in done.stdout
    assert (checkpoint(folder / "r")["batches.groups"] == kinds()[1]).all()


def test_samples_are_drawn_by_group(unlabelled):
    folder, _ = unlabelled
    assert drawn(folder) == [0] * 10 + [1] * 10 + [2] * 10
    assert drawn(folder, "--group", 2, "--n", 4) == [2] * 4
    assert np.bincount(drawn(folder, "--n", 120)) == pytest.approx(SIZES, abs=2)
    refused = run("sample.py", folder / "r", "--digit", 1).stderr
    assert "does not fit" in refused and "it has groups 0 to 2 (--group)" in refused


def test_a_resumed_run_keeps_its_groups(unlabelled, tmp_path):
    folder, _ = unlabelled
    shutil.copytree(folder / "r", tmp_path / "r")
    last = tmp_path / "r" / "checkpoint" / "last.npz"
    last.write_bytes(last.read_bytes()[:-100])  # the groups are in the previous checkpoint too
    done = train("--resume", tmp_path / "r", "--epochs", 2)
    assert done.returncode == 0 and done.stderr.count("using the previous checkpoint") == 1
    assert (checkpoint(tmp_path / "r")["batches.groups"] == kinds()[1]).all()


class OfEarlierVersion:
    """The state of Batches without its groups, which were in the file groups.npz."""

    def __init__(self, batches):
        self.state_dict = lambda: {name: a for name, a in batches.state_dict().items() if name != "groups"}


@pytest.fixture
def older(tmp_path):
    """Make a run of an earlier version. Return the run, its Dataset without groups, and the path of the groups."""
    images, kind = kinds()
    run = new_run(tmp_path / "r", "cgan", groups=SIZES, batch_size=4)
    dataset = Dataset(images, None, "older")
    batches = run.settings.batches(dataset._replace(labels=kind.astype(np.uint8), grouped=True))
    run.save(training=run.settings.training(), batches=OfEarlierVersion(batches))
    np.savez_compressed(tmp_path / "r" / "groups.npz", group=kind.astype(np.uint8))
    return run, dataset, tmp_path / "r" / "groups.npz"


def test_a_run_of_an_earlier_version_has_its_groups_in_a_file_and_then_in_its_checkpoint(older):
    run, dataset, path = older
    loaded = app_groups.load(run, dataset)
    assert (loaded.labels == kinds()[1]).all() and loaded.classes == 3
    training, batches = run.settings.training(), run.settings.batches(loaded)
    run.load(training=training, batches=batches)
    run.save(training=training, batches=batches)
    path.unlink()
    assert (app_groups.load(run, dataset).labels == kinds()[1]).all()
    with pytest.raises(RunError, match="was trained on 120 images; older has 119 now"):
        app_groups.load(run, dataset._replace(images=dataset.images[1:]))
    run.settings = dataclasses.replace(run.settings, classes=4, groups=(1, 1, 1, 1))
    with pytest.raises(RunError, match="has other groups than the 4 of"):
        app_groups.load(run, dataset)


def test_a_damaged_file_of_groups_is_refused_in_one_sentence_or_read_as_it_was(older):
    run, dataset, path = older
    content = path.read_bytes()
    for position in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            assert (app_groups.load(run, dataset).labels == kinds()[1]).all()
        except RunError as error:
            assert "groups" in str(error) and "\n" not in str(error)
    path.write_bytes(content[:50])
    with pytest.raises(RunError, match=r"groups.npz: the groups of the images cannot be read"):
        app_groups.load(run, dataset)


def test_option_no_labels_trains_on_groups_or_without_classes(labelled, tmp_path):
    words = ["--data", labelled, "--batch-size", 4, "--max-steps", 1]
    for name, options, preset, classes in (("a", ["--groups", 2], "cgan", 2), ("b", ["--groups", 0], "dcgan", 0)):
        assert train(*words, "--no-labels", *options, "--out", tmp_path / name).returncode == 0
        config = json.loads((tmp_path / name / "config.json").read_text())
        assert (config["preset"], config["classes"]) == (preset, classes)
    refused = train(*words, "--preset", "dcgan", "--groups", 2, "--out", tmp_path / "c")
    assert "needs a conditional preset, such as cgan; dcgan has no classes" in refused.stderr
    assert not (tmp_path / "c").exists()
    refused = train("--data", "ring", "--groups", 3, "--out", tmp_path / "d")
    assert "--groups is for images" in refused.stderr and not (tmp_path / "d").exists()
    assert "0, or a whole number from 2 to 256; got 1" in train("--groups", 1).stderr
