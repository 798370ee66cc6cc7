"""bench/tune.py resumes a trial whose process has died, and no other."""

import os
import socket
import subprocess
import sys

import pytest
from commands import ROOT

optuna = pytest.importorskip("optuna", reason="needs Optuna: pip install -e '.[tune]'")
sys.path.insert(0, str(ROOT / "bench"))
import tune  # noqa: E402


def running(study, **owner):
    """Begin a trial with these attributes."""
    trial = study.ask()
    trial.suggest_float("lr", 1e-4, 5e-3, log=True)
    for key, value in owner.items():
        trial.set_user_attr(key, value)
    return trial


@pytest.fixture
def study():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study()


def test_a_trial_whose_process_has_died_continues_with_its_settings_in_its_folder(study):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = running(study, host=socket.gethostname(), pid=ended.pid, folder="runs/left")
    tune.requeue_interrupted(study)
    again = study.ask()
    assert again.user_attrs["folder"] == "runs/left"
    assert again.suggest_float("lr", 1e-4, 5e-3, log=True) == left.params["lr"]
    assert study.trials[left.number].state.name == "FAIL"


@pytest.mark.parametrize(
    "owner",
    [
        dict(host=socket.gethostname(), pid=os.getppid()),  # this process lives
        dict(host="elsewhere", pid=1, time=tune.time.time()),  # its last report is new
    ],
)
def test_a_trial_that_is_being_trained_is_left_alone(study, owner):
    trial = running(study, folder="runs/busy", **owner)
    tune.requeue_interrupted(study)
    assert study.trials[trial.number].state.name == "RUNNING" and len(study.trials) == 1


def test_a_silent_trial_of_another_machine_is_resumed(study):
    trial = running(study, folder="runs/silent", host="elsewhere", pid=1, time=tune.time.time() - 2 * tune.STALE)
    tune.requeue_interrupted(study)
    assert study.trials[trial.number].state.name == "FAIL" and study.ask().user_attrs["folder"] == "runs/silent"
