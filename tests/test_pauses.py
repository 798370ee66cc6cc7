"""The first pictures are of the steps 0, 10, 30, ... A run has about 40 pictures, and pauses at ends of epochs.

An output that cannot be written causes only a warning. Links in the folder of a run are not followed.
"""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from commands import ROOT, checkpoint, device, run, train
from PIL import Image
from runs import new_run, settings

from tinygan import files
from tinygan.app import finish, pictures, plots, schedule
from tinygan.app.errors import only_warn
from tinygan.app.log import Log
from tinygan.app.runs import RunError
from tinygan.app.terminal import Terminal


@pytest.mark.parametrize("epochs", [1, 5, 40])
def test_a_short_run_has_a_picture_of_each_epoch(epochs):
    assert schedule.shown_epochs(epochs, 40) == list(range(1, epochs + 1))


@pytest.mark.parametrize(
    "per_epoch, max_steps, steps",
    [
        (1875, None, [0, 10, 30, 100, 300, 1000]),
        (1000, None, [0, 10, 30, 100, 300]),
        (100, None, [0, 10, 30]),
        (3, None, [0]),
        (1875, 60, [0, 10, 30]),
        (1875, 10, [0]),
    ],
)
def test_the_first_epoch_has_pictures_at_steps_that_grow_by_three(per_epoch, max_steps, steps):
    chosen = settings(steps=10 * per_epoch, max_steps=max_steps)
    assert schedule.early(chosen, per_epoch) == steps
    assert steps[-1] < schedule.pauses(chosen, per_epoch)[0]


@pytest.mark.parametrize("per_epoch, epochs", [(1875, 10), (1875, 40), (18, 1042), (3, 6250), (3, 16_000)])
def test_a_run_has_at_most_40_pictures(per_epoch, epochs):
    chosen = settings(steps=per_epoch * epochs)
    steps = [*schedule.early(chosen, per_epoch), *schedule.pauses(chosen, per_epoch)]
    assert min(epochs, 25) <= len(steps) <= 40 and steps == sorted(set(steps))


@pytest.mark.parametrize("epochs", [41, 100, 3125, 100_000])
def test_a_long_run_has_25_to_40_pictures_with_the_smallest_gaps_at_the_beginning(epochs):
    shown = schedule.shown_epochs(epochs, 40)
    assert 25 <= len(shown) <= 40 and shown[0] == 1 and shown[-1] == epochs
    gaps = np.diff(shown)
    assert gaps[0] <= gaps[-1] and (gaps > 0).all()


def test_a_run_pauses_at_ends_of_epochs_and_at_its_last_step():
    assert schedule.pauses(settings(steps=44), 22) == [22, 44]
    assert schedule.pauses(settings(steps=44, max_steps=31), 22) == [22, 31]
    assert schedule.pauses(settings(steps=45), 22) == [22, 44, 45]
    assert len(schedule.pauses(settings(steps=9375), 3)) <= 40
    measured = schedule.pauses(settings(steps=9000, evaluate_every=1000), 3)
    assert {3000, 6000, 9000} <= set(measured) and len(measured) <= 43


def test_a_run_that_stops_early_has_the_pauses_of_the_full_run_until_then():
    whole, stopped = (schedule.pauses(settings(steps=9375, max_steps=n), 3) for n in (None, 500))
    assert stopped == [step for step in whole if step < 500] + [500]


def test_a_checkpoint_is_due_after_a_minute(tmp_path):
    run = new_run(tmp_path / "r")
    log = Log(run, run.settings.training(), Terminal(quiet=True), 10)
    due, bar = [], SimpleNamespace(set_postfix_str=str)
    for seconds in (59.0, 61.0):
        log.seconds = lambda seconds=seconds: seconds
        due.append(log.update(10, bar))
    assert due == [False, True]


def test_the_time_of_drawing_is_no_time_of_the_steps(tmp_path, monkeypatch):
    run, clock = new_run(tmp_path / "r"), [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    log = Log(run, run.settings.training(), Terminal(quiet=True), 10)
    log.start_timer()
    clock[0] += 5
    with log.paused_timer():
        clock[0] += 20
    clock[0] += 2
    assert log.seconds() == 7


def test_spread_takes_equally_spaced_items_from_the_first_to_the_last():
    assert schedule.spread(list(range(201)), 5) == [0, 50, 100, 150, 200]
    assert schedule.spread([1, 2], 5) == [1, 2] and schedule.spread([], 5) == [] and schedule.spread([3, 4], 1) == [3]


def grids(run, names):
    for name in names:
        plots.save_grid(run.samples / f"{name}.png", np.full((64, 8, 8, 1), 9, np.uint8))


def test_the_animation_has_at_most_60_pictures_in_the_order_of_their_steps_and_names_the_steps(tmp_path):
    run = new_run(tmp_path / "r")
    grids(run, [f"step_{step:07d}" for step in range(9_999_900, 10_000_100)])
    (run.samples / "step_0000001 (copy).png").write_bytes(b"what a file manager leaves")
    assert list(run.pictures())[-1] == 10_000_099
    pictures.save_animation(run)
    with Image.open(run.folder / "progress.gif") as gif, Image.open(run.pictures()[9_999_900]) as grid:
        assert gif.n_frames == pictures.FRAMES
        first = np.asarray(gif.convert("L"), int)
        gif.seek(1)
        second = np.asarray(gif.convert("L"), int)
        size = grid.height
        assert (first[:size] == np.asarray(grid, int)).all() and first.shape == second.shape
    assert (first[size:] != second[size:]).any()  # the step below the grid


def test_pictures_of_earlier_versions_are_found_by_the_step_at_the_end_of_their_epoch(tmp_path):
    """A run was stopped at step 31, in epoch 2. This version continues it, and draws epoch 2 anew at step 44."""
    run = new_run(tmp_path / "r")
    run.write_rows([], [(22, 1, 1.0), (31, 2, 1.0)])
    grids(run, ["epoch_0001", "epoch_0002", "epoch_0007"])  # nothing says at which step epoch 7 ended
    named = {22: run.samples / "epoch_0001.png", 31: run.samples / "epoch_0002.png"}
    assert run.pictures() == named
    run.write_rows([], [(22, 1, 1.0), (31, 2, 1.0), (44, 2, 1.0)])
    grids(run, ["step_0000044"])
    assert list(run.pictures().values()) == [named[22], run.samples / "step_0000044.png"]


@pytest.mark.parametrize("name, killed, saved, drawn", [("draw", 10, 0, [0]), ("update", 22, 22, [0, 10])])
def test_a_run_that_was_killed_in_a_pause_or_at_an_early_picture_draws_all_pictures_if_resumed(
    tiny, trained, tmp_path, name, killed, saved, drawn
):
    """An early picture has no checkpoint. In a pause, the checkpoint is saved before the picture is drawn."""
    code = (
        "import os, sys, train; from tinygan.app.finish import Outputs\n"
        f"real = Outputs.{name}\n"
        f"Outputs.{name} = lambda self, step: os._exit(9) if step == {killed} else real(self, step)\n"
        "sys.exit(train.main())"
    )
    words = ["--device", device(), "--data", tiny, "--batch-size", 4, "--epochs", 2, "--out", tmp_path / "r"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], cwd=ROOT, capture_output=True)
    assert done.returncode == 9
    assert sorted(p.name for p in (tmp_path / "r" / "samples").iterdir()) == [f"step_{n:07d}.png" for n in drawn]
    assert int(checkpoint(tmp_path / "r")["training.steps"][0]) == saved
    assert train("--resume", tmp_path / "r").returncode == 0
    names = [f"samples/{path.name}" for path in (trained[0] / "samples").iterdir()]
    for name in (*names, "progress.gif", "checkpoint/last.npz"):
        assert (tmp_path / "r" / name).read_bytes() == (trained[0] / name).read_bytes()


def test_outputs_that_cannot_be_written_cause_only_warnings(tiny, trained, tmp_path):
    """The folder samples and log.csv are missing, curves.png cannot be written, and the pipe for stdout is closed."""
    folder = shutil.copytree(trained[0], tmp_path / "r")
    shutil.rmtree(folder / "samples")
    (folder / "log.csv").unlink()
    (folder / "curves.png").unlink()
    (folder / "curves.png").mkdir()
    reading, writing = os.pipe()
    os.close(reading)
    done = train("--resume", folder, "--epochs", 3, stdout=writing)
    os.close(writing)
    assert done.returncode == 0, done.stderr
    assert int(checkpoint(folder)["training.steps"][0]) == 66
    assert [path.name for path in (folder / "samples").iterdir()]
    assert "reading the old log failed" in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.count("drawing the curves failed") == 1


def test_a_warning_is_printed_once(capsys):
    terminal = Terminal(quiet=True)
    for _ in range(3):
        with only_warn(terminal, "drawing the pictures"):
            raise ZeroDivisionError("no")
    assert capsys.readouterr().err.count("drawing the pictures failed") == 1


def test_control_characters_are_escaped_before_they_are_printed(capsys):
    terminal = Terminal()
    terminal.say("a\x1b]0;owned\x07 é")
    terminal.warn("b\x9b31m")
    printed = capsys.readouterr()
    assert printed.out == "a\\x1b]0;owned\\x07 é\n" and printed.err == "b\\x9b31m\n"


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_figures_are_drawn_with_any_matplotlib_backend_in_the_environment(tmp_path, backend):
    code = (
        "import os, sys; from tinygan.app import plots\n"
        "figure = plots.new_figure(1, 1); figure.subplots().plot([1, 2])\n"
        "plots.save_figure(sys.argv[1], figure); print(os.environ['MPLBACKEND'])"
    )
    done = run("-c", code, tmp_path / "a.png", env={**os.environ, "MPLBACKEND": backend})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == backend
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (100, 100)


def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(tmp_path):
    """There is a link in place of each file, and one in place of its temporary file."""
    outside = tmp_path / "bashrc"
    outside.write_text("mine")
    folder = tmp_path / "r"
    folder.mkdir()
    figure = plots.new_figure(1, 1)
    writers = {
        "config.json": lambda path: files.write_text(path, "{}"),
        "grid.png": lambda path: plots.save_grid(path, np.zeros((1, 4, 4, 1), np.uint8)),
        "curves.png": lambda path: plots.save_figure(path, figure),
        "progress.gif": lambda path: plots.save_gif(path, [np.zeros((4, 4, 3), np.uint8)]),
    }
    for name, write in writers.items():
        for link in (folder / name, folder / f"{name}.tmp"):
            link.unlink(missing_ok=True)
            link.symlink_to(outside)
        write(folder / name)
        assert not (folder / name).is_symlink() and (folder / name).stat().st_size
    assert outside.read_text() == "mine" and not list(folder.glob("*.tmp"))


def test_a_link_in_place_of_a_folder_of_a_run_is_refused(tmp_path):
    for name in ("samples", "checkpoint"):
        run = new_run(tmp_path / name)
        (tmp_path / "outside").mkdir(exist_ok=True)
        shutil.rmtree(run.folder / name)
        (run.folder / name).symlink_to(tmp_path / "outside")
        with pytest.raises(RunError, match=rf"{name} is a link, but a run writes only into its own folder"):
            run.save(training=run.settings.training())
            pictures.save(run, run.settings.training(), 1)
        with pytest.raises(RunError, match=f"{name} is a link"):
            run.lock()
    assert not list((tmp_path / "outside").iterdir())


def test_an_animation_of_a_toy_world_keeps_its_colours(tmp_path):
    points = np.random.default_rng(0).normal(size=(2, 300, 2)) * 0.1 + [[[1.5, 0]], [[-1.5, 0]]]
    y, x = np.mgrid[:80, :80] / 80
    plots.save_world(tmp_path / "a.png", *points, np.sin(9 * x) * y, points[1][:9], np.ones((9, 2)), 3, "epoch 1")
    plots.save_gif(tmp_path / "a.gif", [tmp_path / "a.png"])
    shown = [np.asarray(Image.open(tmp_path / name).convert("RGB"), int) for name in ("a.png", "a.gif")]
    assert np.abs(shown[0] - shown[1]).max() <= 16


def test_the_score_of_a_toy_world_is_written_to_metrics_json(tmp_path):
    import json

    run = new_run(tmp_path / "r", "vanilla", "ring", (2,), 0)
    sentence = finish.toy_score(run, run.settings.training())
    found = json.loads((run.folder / "metrics.json").read_text())
    assert found["real"]["modes"] == found["modes"] == 8 and found["real"]["good_samples"] > 0.95
    assert sentence.startswith(f"{found['samples']['modes']} of 8 modes covered")
