"""bench/tune.py resumes a trial whose process has died, and no other. Several processes join one study."""

import argparse
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
    """Begin a trial whose user attributes are `owner`."""
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
        dict(host=socket.gethostname(), pid=os.getppid()),  # the parent of this process is running
        dict(host="elsewhere", pid=1, time=tune.time.time()),  # its last report is recent
    ],
)
def test_a_trial_that_is_being_trained_is_left_alone(study, owner):
    trial = running(study, folder="runs/busy", **owner)
    tune.requeue_interrupted(study)
    assert study.trials[trial.number].state.name == "RUNNING" and len(study.trials) == 1


def test_a_trial_of_another_machine_without_a_recent_report_is_resumed(study):
    trial = running(study, folder="runs/silent", host="elsewhere", pid=1, time=tune.time.time() - 2 * tune.STALE)
    tune.requeue_interrupted(study)
    assert study.trials[trial.number].state.name == "FAIL" and study.ask().user_attrs["folder"] == "runs/silent"


def opened(storage):
    return tune.open_study(argparse.Namespace(study=str(storage), preset="vanilla", steps=40, pauses=2, samples=100))


def test_processes_that_begin_together_join_one_study(tmp_path):
    """Four processes open the same new study at the same time, and each asks for one trial."""
    code = (
        "import argparse, sys, time; sys.path.insert(0, 'bench'); import tune\n"
        "args = dict(preset='vanilla', steps=40, pauses=2, samples=100)\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "tune.open_study(argparse.Namespace(study=sys.argv[1], **args)).ask()\n"
    )
    for storage in (tmp_path / "tune.log", f"sqlite:///{tmp_path}/tune.db"):
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        processes = [subprocess.Popen([sys.executable, "-c", code, str(storage)], **pipes) for _ in range(4)]
        for process in processes:
            process.stdout.readline()
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        errors = [process.communicate(timeout=120)[1] for process in processes]
        assert all(process.returncode == 0 for process in processes), errors
        assert sorted(trial.number for trial in opened(storage).trials) == [0, 1, 2, 3]


def test_if_another_process_creates_the_tables_the_study_is_opened_again(monkeypatch):
    from sqlalchemy.exc import IntegrityError

    calls = []

    def create_study(**settings):
        calls.append(settings)
        if len(calls) == 1:
            raise IntegrityError("CREATE TYPE", None, Exception("already exists"))
        return "the study"

    monkeypatch.setattr(optuna, "create_study", create_study)
    monkeypatch.setattr(tune.time, "sleep", lambda seconds: None)
    assert opened("postgresql://host/tune") == "the study" and len(calls) == 2


@pytest.mark.parametrize(
    ("address", "words"),
    [("postgresql+none://host/tune", "plugin"), ("sqlite:////no/such/folder/tune.db", "unable to open")],
)
def test_a_database_that_cannot_be_opened_ends_the_script_with_one_sentence(monkeypatch, address, words):
    monkeypatch.setattr(tune.time, "sleep", lambda seconds: None)
    with pytest.raises(SystemExit, match=words):
        opened(address)
