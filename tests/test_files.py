"""Files are written completely or not at all, also if another program has them open. What a kill left is removed."""

import argparse
import errno
import os

import pytest
from runs import new_run, settings

from tinygan import files
from tinygan.app import errors, schedule, start
from tinygan.app.options import parse
from tinygan.app.runs import Run, RunError
from tinygan.app.terminal import Terminal


@pytest.mark.parametrize("refusals", [0, 1, 3])
def test_on_windows_a_file_that_is_open_elsewhere_is_renamed_after_a_moment(tmp_path, monkeypatch, refusals):
    renamed, slept, left = os.replace, [], [None] * refusals

    def replace(old, new):
        if left:
            left.pop()
            raise PermissionError(errno.EACCES, "Access is denied", str(new))
        renamed(old, new)

    monkeypatch.setattr(files.time, "sleep", slept.append)
    monkeypatch.setattr(files.os, "replace", replace)
    monkeypatch.setattr(files, "WINDOWS", True)
    (tmp_path / "a").write_text("old")
    files.write_text(tmp_path / "a", "new")
    assert (
        (tmp_path / "a").read_text() == "new"
        and len(slept) == refusals
        and list(tmp_path.iterdir()) == [tmp_path / "a"]
    )


def test_a_file_that_stays_open_elsewhere_keeps_its_content_and_the_error_names_it(tmp_path, monkeypatch):
    def refuse(old, new):
        raise PermissionError(errno.EACCES, "Access is denied", str(old))

    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(files.os, "replace", refuse)
    (tmp_path / "a").write_text("old")
    for windows in (True, False):
        monkeypatch.setattr(files, "WINDOWS", windows)
        with pytest.raises(OSError, match="Access is denied") as caught:
            files.write_text(tmp_path / "a", "new")
        assert caught.value.filename == str(tmp_path / "a") and [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_resumed_run_removes_unfinished_files_and_no_others(tmp_path):
    run = new_run(tmp_path / "r")
    unfinished = ["log.csv.tmp", "checkpoint/last.npz.tmp", "samples/step_0000001.png.tmp", "report.html.tmp"]
    others = ["notes.txt", "tmp", "a.tmp"]
    for name in [*unfinished, *others]:
        (run.folder / name).write_text("x")
    before = {path for path in run.folder.rglob("*") if path.is_file()}
    run.remove_unfinished()
    assert before - {path for path in run.folder.rglob("*")} == {run.folder / name for name in unfinished}


def test_an_unwritable_working_folder_names_out_but_a_folder_of_the_user_does_not(tmp_path, monkeypatch):
    def refuse(self, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    chosen = settings()
    training = chosen.training()
    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(
        RunError, match=r"cannot write a run to runs.* \(Permission denied\): choose a folder with --out"
    ):
        Run.create(chosen, training=training)
    with pytest.raises(RunError, match=r"\(Permission denied\)$"):
        Run.create(chosen, tmp_path / "r", training=training)


@pytest.mark.parametrize("number", errors.FULL)
@pytest.mark.parametrize("script, advice", [("train.py", "then use --resume"), ("sample.py", ": free some space")])
def test_a_full_disk_gets_the_advice_of_its_script(number, script, advice):
    def fail(args):
        raise OSError(number, "full", "grid.png")

    said = errors.run_program(script, fail, argparse.Namespace(debug=False))
    assert said.startswith(f"{script}: grid.png: full") and said.endswith(advice)


def test_a_warning_of_a_full_disk_gives_no_advice_to_resume(capsys):
    with errors.only_warn(Terminal(), "drawing the pictures"):
        raise OSError(errno.ENOSPC, "No space left on device", "a.png")
    assert "--resume" not in capsys.readouterr().err


def test_forged_settings_with_endless_measurements_are_refused():
    forged = settings(steps=10**12, evaluate_every=1)
    with pytest.raises(ValueError, match="333,333,333,334 measurements in 333,333,333,334 epochs are too many"):
        schedule.pauses(forged, 3)
    assert len(schedule.pauses(settings(steps=10**12), 3)) <= 40


def test_processes_with_different_settings_leave_no_folder(tiny, tmp_path, monkeypatch):
    def differ(settings, **parts):
        raise errors.TrainingError("process 1 differs from process 0 in settings")

    monkeypatch.setattr(start.agreement, "check", differ)
    words = ["--data", str(tiny), "--batch-size", "4", "--out", str(tmp_path / "r")]
    with pytest.raises(errors.TrainingError, match="differs from process 0 in settings"):
        start.new_run(parse(None, words))
    assert not (tmp_path / "r").exists()
