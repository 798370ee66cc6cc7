"""evaluate.py prints a table of a tiny run, writes the results into the run, and changes nothing else."""

import dataclasses
import json
import math
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from commands import ROOT, checkpoint, device, run, train

from tinygan.app.runs import Run
from tinygan.metrics.examples import examples

sys.path.append(str(ROOT))

import evaluate as script


def evaluate(cache, *words):
    """Run evaluate.py. It stores the classifier that it trains in the folder `cache`."""
    return run("evaluate.py", "--device", device(), *words, env={**os.environ, "XDG_CACHE_HOME": str(cache)})


def contents(folder):
    """Return {path: bytes} of all files in a folder."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def measured(labelled, tmp_path_factory):
    """Train cgan on data without test images, and evaluate it.

    Returns the folder above the run, the files of the run before the evaluation, and the finished process.
    """
    folder = tmp_path_factory.mktemp("measured")
    words = ["--preset", "cgan", "--data", labelled, "--batch-size", 4, "--max-steps", 10, "--out", folder / "r"]
    assert train(*words).returncode == 0
    before = contents(folder / "r")
    done = evaluate(folder, folder / "r", "--n", 20)
    assert done.returncode == 0, done.stderr
    return folder, before, done


def test_evaluate_prints_a_table_and_writes_the_numbers_into_the_run(measured):
    folder, _, done = measured
    written = json.loads((folder / "r" / "metrics.json").read_text())
    assert [written["step"]] == checkpoint(folder / "r")["training.steps"].tolist()
    first, note, heading, *rows = done.stdout.splitlines()
    assert first.startswith("samples: 20 of cgan against 6 test images of labelled")
    assert "A sixth of the training images replaces them" in note == written["note"]
    assert heading.split() == ["samples", "real"]
    assert [row[:17].strip().replace(" ", "_") for row in rows] == [
        "distance", *list(written["samples"])[1:]
    ]  # fmt: skip
    assert written["multiple_of_floor"] is None and "There are only 6 test images" in note
    numbers = [number for who in ("samples", "real") for number in written[who].values() if number is not None]
    assert len(numbers) == 19 and all(map(math.isfinite, numbers))


def test_evaluate_changes_nothing_else_in_the_run(measured):
    folder, before, _ = measured
    after = contents(folder / "r")
    assert after.pop(folder / "r" / "metrics.json") and after.pop(folder / "r" / "metrics.png")
    # the report has the metrics now
    assert after.pop(folder / "r" / "report.html") != before.pop(folder / "r" / "report.html")
    assert after == before
    assert '"generator": {' in (folder / "r" / "report.html").read_text()  # the page still has G


def test_a_second_evaluation_gives_the_same_numbers_and_trains_no_network(measured):
    folder, _, done = measured
    assert "training a classifier of this data, once" in done.stderr
    written = (folder / "r" / "metrics.json").read_bytes()
    again = evaluate(folder, folder / "r", "--n", 20)
    assert again.stdout == done.stdout and not again.stderr
    assert (folder / "r" / "metrics.json").read_bytes() == written


def test_a_run_knows_how_many_images_each_class_has(measured):
    """The latent vectors for BatchNorm's statistics get classes in these proportions."""
    settings = Run.open(measured[0] / "r").settings
    assert settings.class_sizes == tuple(settings.training().class_sizes) == (14, 13, 13)


def test_several_runs_give_one_table_with_a_column_for_each(measured):
    folder, _, done = measured
    both = evaluate(folder, folder / "r", folder / "r" / ".", folder / "r" / "..", "--n", 20)
    assert both.returncode != 0 and "is not a run" in both.stderr  # no run was measured
    result = json.loads((folder / "r" / "metrics.json").read_text())
    heading, distance, *_ = script.table({"a": result, "b": result}).splitlines()[-11:]
    assert heading.split() == ["a", "b", "real"]
    alone = done.stdout.splitlines()[3].split()
    assert distance.split()[:4] == [*alone[:2], *alone[1:3]]
    large = script.table({"a": {**result, "multiple_of_floor": 3.5}}).splitlines()
    assert [line.split()[:3] for line in large if line.startswith("multiple")] == [["multiple", "3.5", "1"]]


def test_examples_show_the_extremes_and_the_most_frequent_mistake():
    class Judge:  # features: the first two pixels; class: the third pixel
        def predict(self, images):
            x = images.reshape(len(images), -1).astype(float)
            return x[:, :2], np.eye(3)[images.reshape(len(images), -1)[:, 2]]

    def images(*rows):
        return np.array(rows, np.uint8).reshape(-1, 1, 3, 1)

    test = images((0, 0, 0), (9, 0, 1), (200, 200, 2))
    samples = images((0, 0, 0), (8, 0, 1), (9, 90, 1), (1, 0, 2))
    train = SimpleNamespace(class_names=())
    evaluator = SimpleNamespace(
        classifier=Judge(), features=Judge().predict(test)[0], test=SimpleNamespace(images=test), train=train
    )
    strange, missing, mistake = examples(evaluator, samples, np.array([0, 0, 0, 2]))
    assert (strange[1][0] == samples[2]).all() and (missing[1][0] == test[2]).all()
    assert mistake[0].startswith("66.7% of the samples of class 0 are classified as 1")
    assert (mistake[1] == samples[1:3]).all()
    train.class_names = ("cat", "dog", "horse")
    assert "of class cat are classified as dog" in examples(evaluator, samples, np.array([0, 0, 0, 2]))[2][0]
    assert len(examples(evaluator, samples)) == 2
    assert len(examples(evaluator, samples, np.array([0, 1, 1, 2]))) == 2  # no mistake


def test_a_folder_that_is_no_run_is_refused_in_one_sentence(measured):
    folder, _, _ = measured
    done = evaluate(folder, folder)
    assert done.returncode != 0 and done.stderr.startswith(f"evaluate.py: {folder} is not a run")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"data": "ring", "shape": (2,)}, "is a run on toy data"),
        ({"data": "tiny"}, "with another shape or other classes than tiny"),
    ],
)
def test_runs_that_cannot_be_measured_are_refused(changes, message, measured, tiny):
    opened = Run.open(measured[0] / "r")
    changes = {key: str(tiny) if value == "tiny" else value for key, value in changes.items()}
    opened.settings = dataclasses.replace(opened.settings, **changes)
    with pytest.raises(ValueError, match=message):
        script.measure(opened, 20)
