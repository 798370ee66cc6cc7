"""train.py and sample.py work on a tiny data set, called as a user calls them. Wrong options cause one sentence."""

import fcntl
import json
import os
import platform
import re
import struct
import subprocess
import sys
import termios

import numpy as np
import pytest
from commands import ROOT, checkpoint, device, lines, run, sample, train

import tinygan
from tinygan import backend
from tinygan.gan.health import METRICS


def test_a_run_writes_all_its_files(trained):
    folder, _ = trained
    assert {p.name for p in folder.iterdir()} == {
        "config.json", "log.csv", "timings.csv", "samples", "curves.png", "progress.gif", "interpolation.png",
        "report.html", "checkpoint",
    }  # fmt: skip
    assert sorted(p.name for p in (folder / "checkpoint").iterdir()) == ["last.npz", "last.previous.npz"]
    pictures = [f"step_{step:07d}.png" for step in (0, 10, 22, 44)]
    assert sorted(p.name for p in (folder / "samples").iterdir()) == pictures
    config = json.loads((folder / "config.json").read_text())
    assert config["preset"] == "dcgan" and config["batch_size"] == 4 and config["lr"] == 8e-4 and config["seed"] == 0
    header, *rows = lines(folder / "log.csv")
    assert header == ["step", "epoch", *METRICS]
    assert [int(row[0]) for row in rows] == [10, 20, 30, 40] and [row[1] for row in rows] == ["1", "1", "2", "2"]
    assert [row[:2] for row in lines(folder / "timings.csv")] == [["step", "epoch"], ["22", "1"], ["44", "2"]]


def test_config_json_has_all_that_is_needed_to_repeat_the_run(trained, tiny):
    folder, _ = trained
    config = json.loads((folder / "config.json").read_text())
    assert config["arguments"][-2:] == ["--out", str(folder)] and config["data"] == str(tiny)
    versions = {"python": platform.python_version(), "tinygan": tinygan.__version__, "numpy": np.__version__}
    if device() == "cuda":
        versions["cupy"] = backend.xp.__version__
    assert config["versions"] == versions
    assert config["device"] == device()
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", config["commit"]) if (ROOT / ".git").exists() else True


def test_the_default_is_cgan_with_labels_and_dcgan_without(labelled, trained, tmp_path):
    words = ["--data", labelled, "--batch-size", 4, "--max-steps", 1, "--out", tmp_path / "r"]
    assert train(*words).returncode == 0
    chosen = [json.loads((run / "config.json").read_text())["preset"] for run in (tmp_path / "r", trained[0])]
    assert chosen == ["cgan", "dcgan"]


def test_a_run_prints_its_device_its_folder_and_the_next_commands(trained):
    folder, done = trained
    assert done.stderr == ""  # no progress bar without a terminal
    header, rest = done.stdout.split("step 22/44: ")
    for words in (
        "dcgan: loss bce, parameters G 0.04 M, D 0.03 M", "88 of 8 x 8 x 1, 4 a batch, seed 0", f"device   {device()}",
        "44 to go until step 44, 22 per epoch", f"run      {folder} ", f"page     {folder}/report.html ",
    ):  # fmt: skip
        assert words in header
    assert re.search(
        r"step 44/44: loss D [\d.]+ G [\d.]+, D\(x\) 0\.\d+, D\(G\(z\)\) 0\.\d+, gradients .* a step\n", rest
    )
    assert f"\n    {sys.executable} sample.py {folder} --n 100" in rest
    assert f"\n    {sys.executable} train.py --resume {folder} --epochs" in rest


def test_in_a_terminal_a_run_shows_a_progress_bar(tiny, tmp_path):
    ours, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 40, 80, 0, 0))
    words = ["--data", tiny, "--batch-size", 4, "--preset", "vanilla", "--max-steps", 12, "--out", tmp_path / "r"]
    assert train(*words, stderr=its).returncode == 0
    shown = os.read(ours, 2**16).decode()
    os.close(ours)
    os.close(its)
    bars = [line for line in re.split(r"[\r\n]", shown) if line.startswith("step")]
    assert re.fullmatch(
        r"step 1\d/12 \|.+\| \d\d:\d\d left, +[\d.]+ steps/s, D\(x\) .+, D\(G\(z\)\) .+", bars[-1].rstrip()
    )
    assert max(map(len, bars)) <= 80


def test_pictures_have_their_sizes(trained):
    from matplotlib.image import imread

    folder, _ = trained
    grid = imread(folder / "samples" / "step_0000044.png")
    assert grid.shape[:2] == (164, 164) and grid.std() > 0.1
    assert imread(folder / "curves.png").shape[:2] == (810, 1200)


def test_sampling_draws_grids_and_arrays_from_a_seed(trained, tmp_path):
    from matplotlib.image import imread

    folder, _ = trained
    for name, seed in (("a.npz", 1), ("b.npz", 1), ("c.npz", 2)):
        done = sample(folder, "--n", 300, "--seed", seed, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    a, b, c = (np.load(tmp_path / name, allow_pickle=False)["images"] for name in ("a.npz", "b.npz", "c.npz"))
    assert a.shape == (300, 8, 8) and a.dtype == np.uint8
    assert (a == b).all() and (a != c).any()
    assert sample(folder, "--n", 10, "--out", tmp_path / "g.png").returncode == 0
    assert imread(tmp_path / "g.png").shape[:2] == (64, 84)


WRONG = [  # arguments, part of the message
    (("--data", "nowhere"), "nowhere: there is no such folder"),
    (("--data", "tests"), "has no train images"),
    (("--batch-size", "70000"), "has 60000 images"),
    (("--batch-size", "0"), "must be a whole number from 1 to 1000000; got 0"),
    (("--lr", "nan"), "must be a number above 0, up to 1e+38; got nan"),
    (("--lr", "-1"), "must be a number above 0"),
    (("--epochs", "x"), "must be a whole number from 1 to 100000; got x"),
    (("--epochs", "0"), "must be a whole number from 1 to 100000"),
    (("--max-steps", "-3"), "must be a whole number from 1 to"),
    (("--latent", "1000000000000"), "must be a whole number from 1 to 1000000"),
    (("--preset", "stylegan"), "invalid choice"),
    (("--dropout", "1"), "must be a number from 0 to 0.99"),
    (("--seed", "-1"), "must be a whole number from 0 to 4294967295; got -1"),
    (("--penalty", "r3"), "there is no penalty 'r3': none, gp, r1, r1r2"),
    (("--penalty", "gp:-1"), "must be a number from 0 to"),
    (("--penalty", "gp"), "depends on the others. Choose a preset without BatchNorm in D"),
    (("--loss", "hinge", "--real-label", "0.9"), "loss hinge has no target"),
    (("--preset", "cgan", "--data", "ring"), "this data has no labels"),
    (("--n-critic", "5000"), "but a step needs 160000"),
    (("--resume", "nowhere"), "nowhere is not a run"),
    (("--resume", "nowhere", "--lr", "1", "--latent", "2"), "--lr, --latent cannot change"),
    (("--resume", "train.py"), "train.py is not a run that can be read (Not a directory)"),
    (("--out", "train.py/r"), "cannot write a run to train.py/r/samples (Not a directory)"),
    (("--data", ""), "an empty path; is a shell variable not set?"),
    (("--out", ""), "an empty path; is a shell variable not set?"),
    (("--resume", ""), "an empty path; is a shell variable not set?"),
    (("--threads", "0"), "must be a whole number from 1 to 1024"),
    (("--out", "tests"), "tests contains other files (README.md): choose another --out"),
    (("--device", "tpu"), "no device is called 'tpu'"),
    (("--device", "cuda:9999"), "cuda"),
]


@pytest.mark.parametrize("words, message", WRONG)
def test_wrong_options_get_one_sentence_and_leave_no_folder(words, message, tmp_path):
    done = train(*([] if "--resume" in words else ["--out", tmp_path / "r"]), *words)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert message in last and "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_run_is_not_overwritten(trained, tiny):
    folder, _ = trained
    before = (folder / "config.json").read_bytes()
    done = train("--data", tiny, "--batch-size", 4, "--out", folder)
    assert "already has a run" in done.stderr and "Traceback" not in done.stderr
    assert (folder / "config.json").read_bytes() == before


def test_options_override_the_preset_and_are_recorded_in_config_json(tiny, tmp_path):
    words = ["--preset", "vanilla", "--loss", "relativistic", "--penalty", "r1r2:0.5", "--n-critic", 2, "--ema", 500]
    words += ["--latent", 7, "--dropout", 0.1, "--spectral-norm", "--batch-size", 4, "--lr", 0.001, "--seed", 3]
    done = train(*words, "--data", tiny, "--max-steps", 10, "--out", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    ran = dict(
        loss="relativistic", penalty="r1r2", penalty_weight=0.5, n_critic=2, ema=500, latent_size=7, dropout=0.1,
        spectral_norm=True, batch_size=4, lr=0.001, seed=3, max_steps=10, classes=0, shape=[8, 8, 1], steps=9370,
    )  # fmt: skip
    assert {key: config[key] for key in ran} == ran
    assert sample(tmp_path / "r", "--n", 3, "--out", tmp_path / "a.npz").returncode == 0


def test_a_conditional_run_draws_the_chosen_digit(labelled, tmp_path):
    words = ["--preset", "cgan", "--data", labelled, "--batch-size", 4, "--epochs", 1, "--out", tmp_path / "r"]
    assert train(*words).returncode == 0
    assert sample(tmp_path / "r", "--digit", 2, "--n", 5, "--out", tmp_path / "a.npz").returncode == 0
    assert sample(tmp_path / "r", "--out", tmp_path / "b.npz").returncode == 0
    labels = [np.load(tmp_path / name)["labels"].tolist() for name in ("a.npz", "b.npz")]
    assert labels == [[2] * 5, [0] * 10 + [1] * 10 + [2] * 10]
    assert "has no class 3: it has classes 0 to 2" in sample(tmp_path / "r", "--digit", 3).stderr


def test_a_toy_world_ends_with_its_score_and_an_animation(tmp_path):
    from PIL import Image

    done = train("--preset", "r3gan", "--data", "ring", "--max-steps", 60, "--out", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    assert "of 8 modes covered" in done.stdout and "good samples" in done.stdout
    with Image.open(tmp_path / "r" / "progress.gif") as gif:
        assert gif.n_frames == 5 and gif.size == (500, 500)
        colours = gif.convert("RGB").getcolors(10**6)
    assert len(colours) > 20  # D's output, points and arrows


def test_numbers_that_are_not_finite_stop_the_run_and_the_first_operation_is_named(tiny, tmp_path):
    words = ["--data", tiny, "--batch-size", 4, "--lr", 1e30, "--preset", "lsgan", "--out", tmp_path / "r"]
    done = train(*words)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "a number is not finite: at step" in last and "gave the first result that is not finite" in last
    assert all(np.isfinite(a).all() for a in checkpoint(tmp_path / "r").values())


@pytest.mark.parametrize("stop", [["--max-steps", 3], ["--epochs", 1]])
def test_weights_that_are_not_finite_are_never_saved(stop, tiny, tmp_path):
    """The run should end at step 3, before the first row of its log, or after an epoch. But it stops with an error."""
    words = ["--data", tiny, "--batch-size", 4, "--lr", 1e30, "--preset", "vanilla", "--out", tmp_path / "r"]
    assert train(*words, *stop).returncode != 0
    assert int(checkpoint(tmp_path / "r")["training.steps"][0]) == 0


def test_another_loss_turns_off_options_of_the_preset_that_it_does_not_have(labelled, tmp_path):
    words = ["--preset", "cgan", "--loss", "hinge", "--data", labelled, "--batch-size", 4, "--max-steps", 1]
    assert train(*words, "--out", tmp_path / "r").returncode == 0
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    assert (config["real_label"], config["wrong_labels"]) == (1.0, 0.0)


def test_a_repeated_command_gives_the_same_bits_and_with_quiet_prints_only_the_folder(tiny, tmp_path):
    words = [ROOT / "train.py", "--data", tiny, "--batch-size", 4, "--max-steps", 12, "--preset", "vanilla", "--quiet"]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    options = dict(capture_output=True, text=True, cwd=tmp_path, env=environment)
    one, two = (subprocess.run([sys.executable, *map(str, words)], **options) for _ in range(2))
    for n, done in ((1, one), (2, two)):
        assert done.returncode == 0 and done.stderr == ""
        assert re.fullmatch(rf"runs/vanilla-\d{{8}}-{n}\n", done.stdout)
    for name in ("checkpoint/last.npz", "log.csv", "samples/step_0000012.png"):
        first, second = ((tmp_path / done.stdout.strip() / name).read_bytes() for done in (one, two))
        assert first == second


def test_help_fits_two_screens_and_shows_each_default():
    text = run("train.py", "--help", env={**os.environ, "COLUMNS": "80"}).stdout
    assert text.count("\n") <= 2 * 40 and max(map(len, text.splitlines())) <= 80
    options = [words.split("\n\n")[0] for words in re.split(r"\n  (?=--)", text.rstrip())[1:]]
    assert len(options) == 33 and all(words.endswith(")") for words in options)


def test_an_error_has_a_traceback_only_with_debug(tmp_path):
    words = ("train.py", "--data", "nowhere", "--out", tmp_path / "r")
    assert run(*words).stderr == "train.py: nowhere: there is no such folder\n"
    assert "Traceback" in run(*words, "--debug").stderr
