"""A class has the name of its folder. A run stores and shows the names. A group has a name like "group 0 (75.0%)"."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from commands import sample, train
from PIL import Image
from runs import new_run, settings

import tinygan
from tinygan import backend
from tinygan.app import class_names, export, onnx_model, pictures, plots, report
from tinygan.app.runs import RunError

if backend.device != "cpu":
    pytest.skip("tested on the CPU only", allow_module_level=True)

PETS = ("cat", "dog", "<b>")


def test_class_names_are_folders_or_numbers_or_groups_with_shares():
    assert class_names.of(settings("cgan", class_names=PETS)) == list(PETS)
    assert class_names.of(settings("cgan", classes=4, class_names=PETS)) == [*PETS, "3"]
    assert class_names.of(settings("cgan", classes=2, class_names=PETS)) == ["cat", "dog"]
    assert class_names.of(settings("cgan")) == ["0", "1", "2"]
    assert class_names.of(settings("cgan", classes=2, groups=(3, 1))) == ["group 0 (75.0%)", "group 1 (25.0%)"]
    assert class_names.of(settings("dcgan", class_names=PETS)) == []  # G of dcgan takes no classes


@pytest.mark.parametrize(
    "names, found",
    [
        ((), {"0": 0, 2: 2, np.int64(1): 1}),
        (PETS, {"dog": 1, "<b>": 2, "0": 0, 1: 1}),
        (("3", "7", "x"), {"7": 1, 7: 1, "x": 2}),  # these numbers are names of folders
    ],
)
def test_a_class_is_found_by_its_name_or_number(names, found):
    run = SimpleNamespace(settings=settings("cgan", class_names=names), folder="r")
    assert {wanted: class_names.number(run, wanted) for wanted in found} == found


@pytest.mark.parametrize(
    "changes, wanted, message",
    [
        ({}, 3, "r has no class 3: it has classes 0 to 2"),
        ({}, -1, "r has no class -1: it has classes 0 to 2"),
        ({}, 1.5, "r has no class 1.5: it has classes 0 to 2"),
        ({"class_names": PETS}, "horse", "r has no class horse: it has cat, dog, <b>"),
        ({"class_names": ("3", "7")}, "0", "r has no class 0: it has 3, 7"),
        ({"classes": 30, "class_names": tuple(map(chr, range(97, 127)))}, "A", "s, t and 10 more"),
        ({"groups": (3, 2, 1)}, 5, "r has no group 5: it has groups 0 to 2"),
        ({"name": "dcgan", "class_names": PETS}, "cat", "r has no class cat: it has no classes"),
    ],
)
def test_the_error_for_an_unknown_class_lists_the_classes(changes, wanted, message):
    if "class_names" in changes:
        changes = {"classes": len(changes["class_names"]), **changes}
    run = SimpleNamespace(settings=settings(**{"name": "cgan", **changes}), folder="r")
    with pytest.raises(RunError, match=re.escape(message)):
        class_names.number(run, wanted)


def test_scripts_models_and_report_use_the_names_of_folders(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(8):
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / "pets" / name / f"{i}.png")
    words = ["--data", tmp_path / "pets", "--size", 8, "--batch-size", 4, "--max-steps", 1, "--out", tmp_path / "r"]
    assert train(*words).returncode == 0
    done = sample(tmp_path / "r", "--digit", "dog", "--n", 3, "--out", tmp_path / "a.npz")
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "a.npz")["labels"].tolist() == [1, 1, 1]
    refused = sample(tmp_path / "r", "--digit", "horse").stderr.splitlines()
    assert refused == [f"sample.py: {tmp_path / 'r'} has no class horse: it has cat, dog"]
    model = tinygan.load(tmp_path / "r")
    assert model.class_names == ["cat", "dog"]
    assert (model.sample(2, digit="dog", seed=1) == model.sample(2, digit=1, seed=1)).all()
    assert sample(tmp_path / "r", "--out", tmp_path / "generator.npz").returncode == 0
    assert json.loads(str(np.load(tmp_path / "generator.npz")["about"]))["class_names"] == ["cat", "dog"]
    shown = report.networks(model.run.settings, model.training)["generator"]
    assert shown["class_names"] == ["cat", "dog"]


def test_an_onnx_model_has_the_names_as_metadata():
    pytest.importorskip("onnx", reason="needs the extra onnx: pip install -e '.[onnx]'")
    training = settings("cgan").training()
    model = onnx_model.model(export.generator(training, (8, 8, 1), PETS))
    assert [(each.key, json.loads(each.value)) for each in model.metadata_props] == [("class_names", list(PETS))]


def test_each_row_of_a_grid_has_a_caption():
    white = np.full((40, 6, 6, 3), 255, np.uint8)
    picture = plots.grid(white, 10)
    written = plots.captioned(picture, 4, ["a", "a name that is too long to be shown", "\udc80\n"])
    margin = written.shape[1] - picture.shape[1]
    assert (written[:, margin:] == picture).all() and written.shape[2] == 3
    rows = np.split(written[:, :margin], 4)
    assert (rows[0] == rows[3]).all()  # three names for four rows, so the first is repeated
    assert [row.any() for row in rows] == [True] * 4 and (rows[0] != rows[1]).any()
    assert margin < 300


def test_only_classes_with_names_have_captions(tmp_path):
    sizes = {}
    for kind, changes in (("numbers", {}), ("names", {"class_names": PETS}), ("groups", {"groups": (3, 2, 1)})):
        run = new_run(tmp_path / kind, "cgan", **changes)
        pictures.save(run, run.settings.training(), 1)
        with Image.open(run.samples / "step_0000001.png") as picture:
            sizes[kind] = picture.width
        assert tinygan.load(run.folder).grid().shape[1] == sizes[kind]
    assert sizes["numbers"] < sizes["names"] < sizes["groups"]
