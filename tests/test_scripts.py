"""The commands as people type them, on a tiny data set: train, stop, resume, sample; and what is typed wrong."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_data import idx

from tinygan.health import METRICS

ROOT = Path(__file__).parent.parent


def run(*words, **options):
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, cwd=ROOT, **options)


def train(*words):
    return run("train.py", "--device", "cpu", *words)


def lines(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def checkpoint(folder):
    with np.load(folder / "checkpoint.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """88 images of 8 x 8: 22 steps of 4 an epoch."""
    folder = tmp_path_factory.mktemp("tiny")
    images = np.random.default_rng(0).integers(0, 256, (88, 8, 8), dtype=np.uint8)
    (folder / "train-images").write_bytes(idx(images))
    return folder


@pytest.fixture(scope="session")
def trained(tiny, tmp_path_factory):
    """A finished run of two epochs, and what it said."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    done = train("--data", tiny, "--batch-size", 4, "--epochs", 2, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_a_run_leaves_everything_it_should(trained):
    folder, done = trained
    assert {p.name for p in folder.iterdir()} == {
        "config.json", "log.csv", "samples", "curves.png", "progress.gif", "checkpoint.npz",
    }  # fmt: skip
    assert sorted(p.name for p in (folder / "samples").iterdir()) == ["epoch_0001.png", "epoch_0002.png"]
    config = json.loads((folder / "config.json").read_text())
    assert config["preset"] == "dcgan" and config["batch_size"] == 4 and config["lr"] == 2e-4 and config["seed"] == 0
    header, *rows = lines(folder / "log.csv")
    assert header == ["step", "epoch", *METRICS]
    assert [int(row[0]) for row in rows] == [10, 20, 30, 40] and [row[1] for row in rows] == ["1", "1", "2", "2"]
    assert "epoch 2/2: generator loss" in done.stdout and "discriminator loss" in done.stdout
    assert f"python sample.py {folder}" in done.stdout


def test_pictures_are_pictures(trained):
    from matplotlib.image import imread

    folder, _ = trained
    grid = imread(folder / "samples" / "epoch_0002.png")
    assert grid.shape[:2] == (164, 164) and grid[..., :3].std() > 0.1
    assert imread(folder / "curves.png").shape[:2] == (800, 1200)


@pytest.mark.parametrize("stop_at", [22, 31])
def test_a_resumed_run_ends_with_the_same_bits(stop_at, tiny, trained, tmp_path):
    folder, _ = trained
    first = train("--data", tiny, "--batch-size", 4, "--epochs", 2, "--out", tmp_path / "r", "--max-steps", stop_at)
    again = train("--resume", tmp_path / "r", "--max-steps", 1000)
    assert first.returncode == again.returncode == 0, again.stderr
    whole, parts = checkpoint(folder), checkpoint(tmp_path / "r")
    assert whole.keys() == parts.keys() and all((whole[k] == parts[k]).all() for k in whole)
    assert (folder / "log.csv").read_text() == (tmp_path / "r" / "log.csv").read_text()
    for picture in ("epoch_0001.png", "epoch_0002.png"):
        assert (folder / "samples" / picture).read_bytes() == (tmp_path / "r" / "samples" / picture).read_bytes()


def test_ctrl_c_saves_and_says_how_to_resume(tiny, tmp_path):
    command = [sys.executable, "train.py", "--device", "cpu", "--data", tiny, "--batch-size", "4", "--epochs", "100000"]
    process = subprocess.Popen(
        [*map(str, command), "--out", str(tmp_path / "r")], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    while not (tmp_path / "r" / "checkpoint.npz").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"python train.py --resume {tmp_path / 'r'}" in out
    stopped = int(checkpoint(tmp_path / "r")["training.steps"][0])
    assert train("--resume", tmp_path / "r", "--max-steps", stopped + 10).returncode == 0
    assert int(checkpoint(tmp_path / "r")["training.steps"][0]) == stopped + 10


def test_ctrl_c_before_the_first_step_saves_too(tiny, tmp_path):
    code = "import sys, train; train.stop_on_interrupt = lambda: [2]; sys.exit(train.train(train.arguments()))"
    options = ("--device", "cpu", "--data", str(tiny), "--batch-size", "4", "--out", str(tmp_path / "r"))
    done = subprocess.run([sys.executable, "-c", code, *options], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 130, done.stderr
    assert "stopped at step 0 and saved" in done.stdout
    assert train("--resume", tmp_path / "r", "--max-steps", 10).returncode == 0


def test_sampling_draws_grids_and_arrays_from_a_seed(trained, tmp_path):
    from matplotlib.image import imread

    folder, _ = trained
    for name, seed in (("a.npz", 1), ("b.npz", 1), ("c.npz", 2)):
        done = run("sample.py", folder, "--n", 300, "--seed", seed, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    a, b, c = (np.load(tmp_path / name, allow_pickle=False)["images"] for name in ("a.npz", "b.npz", "c.npz"))
    assert a.shape == (300, 8, 8) and a.dtype == np.uint8
    assert (a == b).all() and (a != c).any()
    assert run("sample.py", folder, "--n", 10, "--out", tmp_path / "g.png").returncode == 0
    assert imread(tmp_path / "g.png").shape[:2] == (64, 84)


WRONG = [  # arguments, part of the one line it says
    (("--data", "nowhere"), "nowhere: there is no such folder"),
    (("--data", "tests"), "no train images in it"),
    (("--batch-size", "70000"), "has 60000 images"),
    (("--batch-size", "0"), "must be a positive number"),
    (("--lr", "nan"), "must be a positive number"),
    (("--lr", "-1"), "must be a positive number"),
    (("--epochs", "x"), "invalid int value"),
    (("--preset", "stylegan"), "invalid choice"),
    (("--dropout", "1"), "must be from 0 to 0.99"),
    (("--seed", "-1"), "must be from 0 to"),
    (("--penalty", "r3"), "there is no penalty 'r3': none, gp, r1, r1r2"),
    (("--penalty", "gp:-1"), "must be a positive number"),
    (("--penalty", "gp"), "depends on the others: take a preset without BatchNorm in D"),
    (("--loss", "hinge", "--label-smoothing", "0.9"), "loss hinge has no target"),
    (("--preset", "cgan", "--data", "ring"), "this data has no labels"),
    (("--n-critic", "5000"), "a step cannot take 640000"),
    (("--resume", "nowhere"), "nowhere is not a run"),
    (("--resume", "nowhere", "--lr", "1"), "--lr cannot change"),
    (("--device", "tpu"), "no device is called 'tpu'"),
]


@pytest.mark.parametrize("words, message", WRONG)
def test_bad_input_gets_one_sentence_and_leaves_nothing_behind(words, message, tmp_path):
    words = [*words] if "--resume" in words else [*words, "--out", tmp_path / "r"]
    done = run("train.py", *words)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert message in last and "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_run_is_not_overwritten(trained, tiny):
    folder, _ = trained
    before = (folder / "config.json").read_bytes()
    done = train("--data", tiny, "--batch-size", 4, "--out", folder)
    assert "holds a run already" in done.stderr and "Traceback" not in done.stderr
    assert (folder / "config.json").read_bytes() == before


def test_a_damaged_checkpoint_is_one_sentence(trained, tmp_path):
    folder, _ = trained
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    (tmp_path / "checkpoint.npz").write_bytes((folder / "checkpoint.npz").read_bytes()[:5000])
    done = run("sample.py", tmp_path)
    assert "checkpoint.npz: not a whole checkpoint" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "config.json").write_text("{}")
    assert "is not what this version" in run("sample.py", tmp_path).stderr


def test_what_cannot_be_drawn_is_one_sentence(trained, tmp_path):
    folder, _ = trained
    assert "ends in .png or .npz" in run("sample.py", folder, "--out", "grid.jpg").stderr
    assert "must be positive" in run("sample.py", folder, "--n", 0).stderr
    assert "is not a run" in run("sample.py", tmp_path).stderr
    assert "can be asked for no digit" in run("sample.py", folder, "--digit", 1).stderr


def test_options_override_the_preset_and_config_records_what_ran(tiny, tmp_path):
    words = ["--preset", "vanilla", "--loss", "relativistic", "--penalty", "r1r2:0.5", "--n-critic", 2, "--ema", 500]
    words += ["--latent", 7, "--dropout", 0.1, "--spectral-norm", "--batch-size", 4, "--lr", 0.001, "--seed", 3]
    done = train(*words, "--data", tiny, "--max-steps", 10, "--out", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    ran = dict(
        loss="relativistic", penalty="r1r2", penalty_weight=0.5, n_critic=2, ema=500, latent_size=7, dropout=0.1,
        spectral_norm=True, batch_size=4, lr=0.001, seed=3, max_steps=10, classes=0, shape=[8, 8, 1], steps=4680,
    )  # fmt: skip
    assert {key: config[key] for key in ran} == ran
    assert run("sample.py", tmp_path / "r", "--n", 3, "--out", tmp_path / "a.npz").returncode == 0


def test_a_conditional_run_draws_the_digit_that_is_asked_for(labelled, tmp_path):
    words = ["--preset", "cgan", "--data", labelled, "--batch-size", 4, "--epochs", 1, "--out", tmp_path / "r"]
    assert train(*words).returncode == 0
    assert run("sample.py", tmp_path / "r", "--digit", 2, "--n", 5, "--out", tmp_path / "a.npz").returncode == 0
    assert run("sample.py", tmp_path / "r", "--out", tmp_path / "b.npz").returncode == 0
    labels = [np.load(tmp_path / name)["labels"].tolist() for name in ("a.npz", "b.npz")]
    assert labels == [[2] * 5, [0] * 10 + [1] * 10 + [2] * 10]
    assert "can be asked for digits 0 to 2" in run("sample.py", tmp_path / "r", "--digit", 3).stderr


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """40 images of three classes."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "train-images").write_bytes(idx(np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)))
    (folder / "train-labels").write_bytes(idx(np.arange(40) % 3))
    return folder


def test_a_toy_world_ends_with_its_score_and_an_animation(tmp_path):
    from PIL import Image

    done = train("--preset", "r3gan", "--data", "ring", "--epochs", 2, "--out", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    assert "of 8 modes covered" in done.stdout and "good samples" in done.stdout
    with Image.open(tmp_path / "r" / "progress.gif") as gif:
        assert gif.n_frames == 2 and gif.size == (500, 500)
        colours = gif.convert("RGB").getcolors(10**6)
    assert len(colours) > 20  # D's surface, points and arrows, and not a grey page


def test_numbers_that_are_not_finite_stop_the_run_and_name_where_they_began(tiny, tmp_path):
    words = ["--data", tiny, "--batch-size", 4, "--lr", 1e30, "--preset", "lsgan", "--out", tmp_path / "r"]
    done = train(*words)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "no longer finite: at step" in last and "gave the first tensor that is not finite" in last
    assert all(np.isfinite(a).all() for a in checkpoint(tmp_path / "r").values())


@pytest.mark.parametrize("stop", [["--max-steps", 3], ["--epochs", 1]])
def test_weights_that_are_not_finite_are_never_saved(stop, tiny, tmp_path):
    """Neither at a stop between two looks at the metrics, nor at the end of an epoch."""
    words = ["--data", tiny, "--batch-size", 4, "--lr", 1e30, "--preset", "vanilla", "--out", tmp_path / "r"]
    assert train(*words, *stop).returncode != 0
    assert int(checkpoint(tmp_path / "r")["training.steps"][0]) == 0


def test_more_epochs_for_a_resumed_run_are_recorded(tiny, tmp_path):
    words = ["--preset", "vanilla", "--data", tiny, "--batch-size", 4, "--epochs", 1, "--out", tmp_path / "r"]
    assert train(*words).returncode == 0
    again = train("--resume", tmp_path / "r", "--epochs", 2, "--max-steps", 25)
    assert again.returncode == 0 and "3 steps" in again.stdout
    assert json.loads((tmp_path / "r" / "config.json").read_text())["steps"] == 44
    with open(tmp_path / "r" / "log.csv", "a") as file:
        file.write("30,2,0.1")  # a row that was cut short
    assert "19 steps" in train("--resume", tmp_path / "r").stdout
    assert "0 steps" in train("--resume", tmp_path / "r").stdout
    assert "--latent cannot change" in train("--resume", tmp_path / "r", "--latent", 5).stderr


def test_a_loss_of_ones_own_does_not_inherit_the_smoothing_of_the_preset(labelled, tmp_path):
    words = ["--preset", "cgan", "--loss", "hinge", "--data", labelled, "--batch-size", 4, "--max-steps", 1]
    assert train(*words, "--out", tmp_path / "r").returncode == 0
    assert json.loads((tmp_path / "r" / "config.json").read_text())["label_smoothing"] == 1.0


def test_the_default_run_is_named_by_preset_and_date(tiny, tmp_path):
    options = dict(capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    for n in (1, 2):
        words = [ROOT / "train.py", "--data", tiny, "--batch-size", 4, "--max-steps", 2, "--preset", "vanilla"]
        done = subprocess.run([sys.executable, *map(str, words)], **options)
        assert done.returncode == 0, done.stderr
        assert len(list((tmp_path / "runs").glob(f"vanilla-*-{n}"))) == 1
