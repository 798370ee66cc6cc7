"""The commands of the package work in a clone and from an installed wheel. Printed hints can be pasted into a shell."""

import os
import subprocess
import sys
import tarfile
import zipfile

import pytest
from commands import ROOT, run

import tinygan
from tinygan import extras
from tinygan.app import terminal


def packages():
    found = {path.parent.relative_to(ROOT) for path in (ROOT / "tinygan").rglob("__init__.py")}
    return {".".join(path.parts) for path in found} | {"tinygan.scripts"}


def test_pyproject_names_every_package():
    text = (ROOT / "pyproject.toml").read_text().split("packages = [")[1].split("]")[0]
    assert {word for word in text.split('"') if word.startswith("tinygan")} == packages()


def test_the_scripts_are_the_only_modules_beside_the_package():
    assert {path.stem for path in ROOT.glob("*.py")} == set(terminal.SCRIPTS)


def test_python_m_tinygan_runs_the_scripts():
    done = run("-m", "tinygan", "train", "--help")
    assert done.returncode == 0 and "-m tinygan train [options]" in done.stdout and "--resume RUN" in done.stdout
    assert "nowhere is not a run" in run("-m", "tinygan", "evaluate", "nowhere").stderr
    about = run("-m", "tinygan", "--version")
    assert about.returncode == 0 and about.stdout.startswith(f"tinygan {tinygan.__version__}\n")
    assert run("-m", "tinygan").returncode == 2


@pytest.mark.parametrize(
    "started, python, hint",
    [
        ("train.py", ".venv/bin/python", ".venv/bin/python sample.py"),
        ("../my clone/train.py", "python3", "python3 '../my clone/sample.py'"),
        ("tinygan train", "/usr/bin/python3", "tinygan sample"),
        ("python -m tinygan train", "python", "python -m tinygan sample"),
    ],
)
def test_a_hint_has_the_form_of_the_typed_command(monkeypatch, started, python, hint):
    monkeypatch.setattr(sys, "argv", [started])
    monkeypatch.setattr(sys, "orig_argv", [python])
    assert terminal.command("sample") == hint


def test_a_hint_installs_an_extra_of_the_clone_or_of_the_installed_package(monkeypatch):
    assert extras.pip_install("onnx") == "pip install -e '.[onnx]'"
    monkeypatch.setattr(extras, "CLONE", False)
    assert extras.pip_install("onnx") == "pip install 'tinygan[onnx]'"


def call(*words, **options):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_installed_wheel_trains_and_samples_outside_of_the_clone(tmp_path):
    """The wheel is built from the sdist, which contains the scripts and the tests."""
    clone = tmp_path / "clone"
    call("git", "clone", "-q", ROOT, clone)
    call(sys.executable, "-m", "venv", tmp_path / "v")
    python, env = tmp_path / "v/bin/python", {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    call(python, "-m", "pip", "install", "-q", "build", env=env)
    call(python, "-m", "build", clone, "-o", tmp_path / "dist", env=env)
    (wheel,), (sdist,) = ((tmp_path / "dist").glob(pattern) for pattern in ("*.whl", "*.tar.gz"))
    with zipfile.ZipFile(wheel) as archive:
        for name in terminal.SCRIPTS:
            assert archive.read(f"tinygan/scripts/{name}.py") == (clone / f"{name}.py").read_bytes()
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"train.py", "tests/conftest.py", "tests/standin/cupy_rules.py", "examples/dcgan.py"} <= names
    call(python, "-m", "pip", "install", "-q", wheel, env=env)
    tinygan_command, options = tmp_path / "v/bin/tinygan", dict(cwd=tmp_path, env=env)
    printed = call(tinygan_command, "train", "--preset", "vanilla", "--max-steps", 2, "--out", "r", **options)
    assert f"\n    {tinygan_command} sample r --n 100" in printed
    assert "pip install 'tinygan[fast]'" in printed
    call(tinygan_command, "sample", "r", "--n", 4, "--out", "a.png", **options)
    call(python, "-m", "tinygan", "sample", "r", "--n", 4, "--out", "a.npz", **options)
    assert (tmp_path / "a.png").exists() and (tmp_path / "a.npz").exists()
