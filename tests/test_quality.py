"""During training the checkpoint with the best quality is saved, and every measurement is recorded."""

import dataclasses
import shutil

import numpy as np
import pytest
from commands import checkpoint, lines

from tinygan.app import quality, report
from tinygan.app.runs import Run


class Scripted:
    """Replaces Evaluator. The distances of samples are read from the list `distances`, one after the other."""

    distances, has_floor = (), True

    def __init__(self, source, n, progress, train, skip_broken):
        self.real, self.note = type("Dataset", (), {"images": "real"}), None

    def draw(self, training, grouped=False):
        return "samples", None

    def distance(self, images):
        return 2.0 if images == "real" else self.distances.pop(0)


@pytest.fixture
def parts(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "Evaluator", Scripted)
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    run = Run.open(folder)
    run.settings = dataclasses.replace(run.settings, evaluate_every=2)
    training = run.settings.training()
    run.load(training=training)
    return run, training


def measure(run, step):
    measured = quality.Quality(run.settings, None)
    measured.start(run, step)
    return measured


def steps_of(run, name):
    return int(checkpoint(run.folder, name)["training.steps"][0])


def test_the_best_checkpoint_is_the_one_with_the_smallest_distance(parts):
    run, training = parts
    Scripted.distances, measured = [50.0, 20.0, 30.0], measure(run, 0)
    for epoch in range(1, 7):
        training.steps[...] = epoch * 10
        status = measured.update(epoch * 10, epoch, training=training)
        assert bool(status) == (epoch % 2 == 0)
    assert "15.0 times the floor" in status
    assert steps_of(run, "best") == 40
    table = lines(run.folder / "quality.csv")
    assert table[0] == list(quality.COLUMNS)
    assert np.array(table[1:], float).tolist() == [[20, 2, 50, 25], [40, 4, 20, 10], [60, 6, 30, 15]]


def test_without_a_floor_the_distance_itself_is_shown_and_the_curve_is_left_out(parts, monkeypatch):
    run, training = parts
    monkeypatch.setattr(Scripted, "has_floor", False)
    Scripted.distances, measured = [50.0], measure(run, 0)
    assert measured.update(20, 2, training=training) == ", distance 50"
    assert np.isnan(quality.read(run)[0][3]) and "multiple" not in report.curves([(20, 2, *[0.5] * 11)], measured.rows)


def test_a_resumed_run_repeats_the_measurements_after_its_checkpoint(parts):
    run, training = parts
    Scripted.distances, measured = [50.0, 20.0, 30.0], measure(run, 0)
    for epoch in (2, 4):
        measured.update(epoch * 10, epoch, training=training)
    again = measure(run, 30)
    assert [row[0] for row in again.rows] == [20] == [int(row[0]) for row in lines(run.folder / "quality.csv")[1:]]
    training.steps[...] = 45
    again.update(40, 4, training=training)  # the distance is 30, better than the 50 of step 20
    assert steps_of(run, "best") == 45


def test_measuring_every_few_epochs_is_refused_for_a_toy_world(parts):
    run, _ = parts
    run.settings = dataclasses.replace(run.settings, shape=(2,))
    with pytest.raises(ValueError, match="rated at the end"):
        quality.Quality(run.settings, None)
