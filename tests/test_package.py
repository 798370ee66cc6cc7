"""The commands of the package work in a clone and from an installed wheel. Printed hints can be pasted into a shell."""

import importlib
import io
import os
import shlex
import subprocess
import sys
import tarfile
import zipfile

import pytest
from commands import ROOT, run

import tinygan
from tinygan import __main__, extras
from tinygan.app import options, terminal


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


def test_without_a_command_all_commands_are_explained_and_an_unknown_one_is_named(monkeypatch, capsys):
    def says(*words):
        monkeypatch.setattr(sys, "argv", ["tinygan", *words])
        monkeypatch.setattr(__main__.shutil, "which", lambda name: "tinygan")
        status = __main__.main()
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    status, out, err = says()
    assert status == 2 and not err and out == says("--help")[1] == says("--version")[1]
    assert [line.split()[0] for line in out.splitlines()[2:]] == list(terminal.SCRIPTS)
    assert all(purpose in out for purpose in terminal.SCRIPTS.values())
    assert says("foo") == (2, "", "tinygan: there is no command 'foo': train, sample, evaluate\n")
    assert says("trian") == (2, "", "tinygan: there is no command 'trian'; did you mean train?\n")
    assert says("eval", "runs/a") == (2, "", "tinygan: there is no command 'eval'; did you mean evaluate?\n")
    assert says("\x1b[31m")[2] == "tinygan: there is no command '\\x1b[31m': train, sample, evaluate\n"


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


WINDOWS = [  # paths, and words that cmd and PowerShell both accept as an argument and as a program
    (r"C:\Users\me\runs\a-1", r"C:\Users\me\runs\a-1"),
    (r"C:\Program Files\Python\python.exe", r'C:\"Program Files"\Python\python.exe'),
    (r"my runs\a (copy)", r'.\"my runs"\"a (copy)"'),
    (r"D:\a & b\c;d", r'D:\"a & b"\"c;d"'),
    (r"C:\実験\a", r"C:\実験\a"),
]


@pytest.mark.parametrize("path, word", WINDOWS)
def test_a_path_is_one_word_of_a_command_on_windows(monkeypatch, path, word):
    monkeypatch.setattr(terminal.os, "name", "nt")
    assert terminal.quoted(path) == word


@pytest.mark.parametrize("path", ["a b/c", "a'b", "$HOME", "実験", "a;b"])
def test_a_path_is_one_word_of_a_command_on_posix(path):
    assert shlex.split(terminal.quoted(path)) == [path]


OUTPUTS = [  # encoding of stdout, printed text, what is written
    ("cp1252", "runs/実験-é", "runs/\\u5b9f\\u9a13-é"),
    ("ascii", "é", "\\xe9"),
    ("utf-8", "実験", "実験"),
    ("cp932", "実験 é", "実験 \\xe9"),
    ("utf-8", "a\udcff\x07", "a\\udcff\\x07"),
]


@pytest.mark.parametrize("encoding, text, written", OUTPUTS)
def test_what_the_output_cannot_encode_is_escaped(monkeypatch, encoding, text, written):
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", output)
    terminal.say(text)
    assert output.buffer.getvalue().decode(encoding) == f"{written}\n"


@pytest.mark.parametrize("script", terminal.SCRIPTS)
def test_help_fits_80_columns_and_options_need_their_whole_names(script, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    for words, status in ((["--help"], 0), (["--dat", "x", "runs/a"], 2), (["--seed", "1", "--xyz", "runs/a"], 2)):
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *words])
        module = importlib.import_module(script)
        with pytest.raises(SystemExit) as ended:
            module.main() if script == "train" else module.arguments()
        printed = capsys.readouterr()
        assert ended.value.code == status and max(map(len, printed.out.splitlines()), default=0) <= 80
        if "--dat" in words:
            assert "there is no option --dat; did you mean --data?" in printed.err


@pytest.mark.parametrize(
    "word, hint", [("cgan", "did you mean --preset cgan?"), ("runs/a", "unexpected word 'runs/a'")]
)
def test_a_word_without_an_option_is_refused_with_a_hint(word, hint, capsys):
    with pytest.raises(SystemExit):
        options.parse(None, [word])
    assert hint in capsys.readouterr().err


def test_a_hint_installs_an_extra_of_the_clone_or_of_the_installed_package(monkeypatch):
    assert extras.pip_install("onnx") == 'pip install -e ".[onnx]"'
    monkeypatch.setattr(extras, "CLONE", False)
    assert extras.pip_install("onnx") == 'pip install "tinygan[onnx]"'


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
