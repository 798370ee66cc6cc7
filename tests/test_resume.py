"""A run that is stopped by a signal at any moment, and resumed, ends with the same bits as a run without the stop."""

import json
import random
import resource
import shutil
import signal
import subprocess
import sys

import pytest
from commands import ROOT, checkpoint, device, train

from tinygan.app.runs import Run

HURRIED = """
# Run train.py with three changes: it saves every ten steps, it writes its page only at the end, and it gets a signal
# before the n-th call of a function.
import functools, os, signal, sys
import numpy as np
import train
from tinygan import backend
from tinygan.app import finish

number, name, n = signal.Signals[sys.argv.pop(1)], sys.argv.pop(1), int(sys.argv.pop(1))
calls = []

def counted(real):
    @functools.wraps(real)
    def call(*args, **options):
        calls.append(name)
        if len(calls) == n:
            os.kill(os.getpid(), number)
        return real(*args, **options)
    return call

if name == "step":  # on CUDA, the loop calls a captured step
    capture = backend.capture
    backend.capture = lambda function: counted(capture(function))
else:
    owner = {"replace": os, "fsync": os, "write_array": np.lib.format}[name]
    setattr(owner, name, counted(getattr(owner, name)))
train.schedule.SAVE_EVERY, finish.PAGE_EVERY = 0, np.inf
sys.exit(train.main())
"""


def hurried(number, name, n, *words, before=signal.SIG_DFL, **options):
    """Run train.py, and send it a signal before the n-th call of step, replace, fsync or write_array.

    before: the handler for this signal that train.py inherits
    """
    command = [sys.executable, "-c", HURRIED, number, name, n, "--device", device(), *words]
    start = (lambda: signal.signal(signal.Signals[number], before)) if number != "SIGKILL" else None
    return subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, preexec_fn=start, **options)


def two_epochs(tiny, folder):
    """Return the arguments of the run in the fixture `trained`, with another folder."""
    return "--data", tiny, "--batch-size", 4, "--epochs", 2, "--out", folder


def assert_same_end(whole, folder):
    """Assert that checkpoint, log and pictures of two runs are the same to the bit. `folder` may have more pictures."""
    assert (folder / "log.csv").read_text() == (whole / "log.csv").read_text()
    for name in ("checkpoint/last.npz", *(f"samples/step_{step:07d}.png" for step in (0, 10, 22, 44))):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), f"{name} differs"


@pytest.fixture(scope="module")
def stopped(tiny, tmp_path_factory):
    """Stop a run after 31 of its 44 steps. The previous checkpoint is of step 22."""
    folder = tmp_path_factory.mktemp("runs") / "stopped"
    assert train(*two_epochs(tiny, folder), "--max-steps", 31).returncode == 0
    return folder


@pytest.fixture
def copy(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "r")


def test_a_run_that_was_stopped_within_an_epoch_ends_with_the_same_bits(copy, trained):
    again = train("--resume", copy, "--max-steps", 1000)
    assert again.returncode == 0, again.stderr
    assert "13 to go until step 44" in again.stdout
    assert_same_end(trained[0], copy)
    timings = [row.split(",")[:2] for row in (copy / "timings.csv").read_text().splitlines()]
    assert timings == [["step", "epoch"], ["22", "1"], ["31", "2"], ["44", "2"]]


def test_sigterm_saves_the_run_after_the_step_and_a_resumed_run_ends_with_the_same_bits(tiny, trained, tmp_path):
    done = hurried("SIGTERM", "step", 15, *two_epochs(tiny, tmp_path / "r"))
    assert done.returncode == 143, done.stderr
    assert (
        f"stopped at step 15 and saved; continue with\n    {sys.executable} -m tinygan train --resume {tmp_path / 'r'}"
        in done.stdout
    )
    assert done.stdout.endswith(f"the page of the run is {tmp_path / 'r' / 'report.html'}\n")
    for name in ("samples/step_0000015.png", "report.html", "progress.gif", "curves.png"):
        assert (tmp_path / "r" / name).exists()
    assert train("--resume", tmp_path / "r").returncode == 0
    assert_same_end(trained[0], tmp_path / "r")


def test_early_pictures_do_not_change_the_training(tiny, trained, tmp_path):
    code = "import sys, train; train.schedule.early = lambda *_: []; sys.exit(train.main())"
    words = [sys.executable, "-c", code, "--device", device(), *two_epochs(tiny, tmp_path / "r")]
    assert subprocess.run([*map(str, words)], cwd=ROOT, capture_output=True).returncode == 0
    names = ["step_0000022.png", "step_0000044.png"]
    assert sorted(path.name for path in (tmp_path / "r" / "samples").iterdir()) == names
    for name in ("log.csv", "checkpoint/last.npz", *(f"samples/{name}" for name in names)):
        assert (tmp_path / "r" / name).read_bytes() == (trained[0] / name).read_bytes()


def test_ctrl_c_saves_the_run_after_the_step(tiny, tmp_path):
    done = hurried("SIGINT", "step", 8, *two_epochs(tiny, tmp_path / "r"))
    assert done.returncode == 130, done.stderr
    assert int(checkpoint(tmp_path / "r")["training.steps"][0]) == 8


def test_a_closed_terminal_saves_the_run_after_the_step(tiny, tmp_path):
    done = hurried("SIGHUP", "step", 8, *two_epochs(tiny, tmp_path / "r"))
    assert done.returncode == 129, done.stderr
    assert int(checkpoint(tmp_path / "r")["training.steps"][0]) == 8


def test_under_nohup_a_closed_terminal_changes_nothing(tiny, trained, tmp_path):
    done = hurried("SIGHUP", "step", 8, *two_epochs(tiny, tmp_path / "r"), before=signal.SIG_IGN)
    assert done.returncode == 0, done.stderr
    assert_same_end(trained[0], tmp_path / "r")


def test_ctrl_c_before_the_first_step_saves_the_run(tiny, tmp_path):
    code = "import sys, train; train.stop_on_signals = lambda: lambda: 2; sys.exit(train.main())"
    options = ("--device", device(), "--data", str(tiny), "--batch-size", "4", "--out", str(tmp_path / "r"))
    done = subprocess.run([sys.executable, "-c", code, *options], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 130, done.stderr
    assert "stopped at step 0 and saved" in done.stdout
    assert int(checkpoint(tmp_path / "r")["training.steps"][0]) == 0


def survives(kill, tiny, whole, folder):
    """Call kill(words), which runs train.py and kills it. Resume the run. Assert that it ends like the run `whole`."""
    words = two_epochs(tiny, folder)
    kill(words)
    again = train("--resume", folder) if (folder / "config.json").exists() else train(*words)
    assert again.returncode == 0, again.stderr
    assert_same_end(whole, folder)
    assert not list(folder.rglob("*.tmp"))
    return again


def killed_before(name, n):
    def kill(words):
        assert hurried("SIGKILL", name, n, *words).returncode == -signal.SIGKILL

    return kill


def killed_after(seconds):
    def kill(words):
        try:  # at a timeout, subprocess.run kills with SIGKILL
            assert hurried("SIGKILL", "step", 0, *words, timeout=seconds).returncode == 0
        except subprocess.TimeoutExpired:
            pass

    return kill


def test_killed_with_only_a_previous_checkpoint_a_resumed_run_ends_with_the_same_bits(tiny, trained, tmp_path):
    """The run is killed before its 16th rename, the second of the two renames for the checkpoint of step 20.

    The first 15 renames: 4 create the run (2 tables, a checkpoint, config.json), 2 write the tables again when the
    training starts, 4 save step 10 (2 tables, and 2 for the checkpoint), 2 are the pictures of steps 0 and 10, and 3
    belong to step 20.
    """
    again = survives(killed_before("replace", 16), tiny, trained[0], tmp_path / "r")
    assert "last.npz: there is no such checkpoint; using the previous checkpoint" in again.stderr
    assert "34 to go" in again.stdout


def moments():
    """Yield ten kills at random times, and ten before a random call that writes, renames or syncs a file."""
    rng = random.Random(0)
    for _ in range(10):
        yield killed_after(rng.uniform(0.3, 4))
    for name, calls in 4 * [("write_array", 500)] + 3 * [("replace", 30), ("fsync", 48)]:
        yield killed_before(name, rng.randint(1, calls))


@pytest.mark.slow
@pytest.mark.parametrize("kill", list(moments()))
def test_killed_at_any_moment_a_resumed_run_ends_with_the_same_bits(kill, tiny, trained, tmp_path):
    survives(kill, tiny, trained[0], tmp_path / "r")


def test_a_full_disk_leaves_the_last_checkpoint_and_says_so(copy):
    before = {path.name: path.read_bytes() for path in (copy / "checkpoint").iterdir()}
    megabyte = 2**20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    full = train("--resume", copy, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, megabyte))
    assert full.returncode == 1
    assert full.stderr.endswith(  # NumPy 2.0 first prints that it cannot close the archive
        f"train.py: {copy}/checkpoint/last.npz: File too large. "
        "The last checkpoint is complete: free some space, then use --resume\n"
    )
    assert {path.name: path.read_bytes() for path in (copy / "checkpoint").iterdir()} == before


def test_if_the_last_checkpoint_is_damaged_the_previous_one_is_resumed(copy, trained):
    last = copy / "checkpoint" / "last.npz"
    last.write_bytes(last.read_bytes()[:100_000])
    again = train("--resume", copy)
    assert again.stderr.count("\n") == 1 and "last.npz is not a complete checkpoint" in again.stderr
    assert f"using the previous checkpoint, {copy}/checkpoint/last.previous.npz" in again.stderr
    assert "22 to go until step 44" in again.stdout
    assert_same_end(trained[0], copy)


def test_a_run_that_cannot_be_resumed_is_refused_in_one_sentence(copy, labelled):
    def says(*words):
        done = train("--resume", copy, *words)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "data": str(labelled)}))
    assert "was trained on data with another shape or other classes than labelled" in says()
    (copy / "config.json").write_text(json.dumps({**config, "preset": "lsgan"}))
    assert "belongs to another kind of run" in says()
    for name in ("last.npz", "last.previous.npz"):
        (copy / "checkpoint" / name).write_bytes(b"")
    assert "no checkpoint can be used" in says()
    (copy / "config.json").write_text("{}")
    assert "was not written by this version" in says()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_a_run_that_another_process_is_training_is_not_changed(copy):
    here = Run.open(copy)
    here.lock()
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    done = train("--resume", copy, "--quiet")
    assert done.returncode == 1 and "another process is training" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert before == {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    del here
    assert train("--resume", copy, "--quiet").returncode == 0


def test_more_epochs_for_a_resumed_run_are_recorded(copy):
    again = train("--resume", copy, "--epochs", 3, "--max-steps", 35)
    assert again.returncode == 0 and "4 to go until step 35" in again.stdout
    assert json.loads((copy / "config.json").read_text())["steps"] == 66
    with open(copy / "log.csv", "a") as file:
        file.write("40,2,0.1")  # a row that was cut short
    assert "0 to go" in train("--resume", copy, "--max-steps", 35).stdout
    assert (copy / "log.csv").read_text().count("\n") == 4
    assert "--latent cannot change" in train("--resume", copy, "--latent", 5).stderr
