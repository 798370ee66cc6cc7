"""With train.py --from RUN, a new run begins with the weights of another."""

import json

import numpy as np
import pytest
from commands import checkpoint, train
from runs import lively, new_run, settings

from tinygan import backend, data, grad
from tinygan.app import origin as origin_module
from tinygan.app import start
from tinygan.app.options import parse

if backend.device != "cpu":
    pytest.skip("tested on the CPU only", allow_module_level=True)


def test_a_run_begins_with_the_weights_and_the_preset_of_another(trained, labelled, tmp_path):
    done = train("--from", trained[0], "--data", labelled, "--lr", 1e-30, "--max-steps", 1, "--out", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    assert f"begins   with the weights of {trained[0]}\n" in done.stdout
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    assert config["preset"] == "dcgan" and config["batch_size"] == 4 and config["lr"] == 1e-30
    old, new = checkpoint(trained[0]), checkpoint(tmp_path / "r")
    assert new["training.steps"][0] == 1  # the new run counts its own steps
    weights = [name for name in old if name.startswith(("training.generator.", "training.discriminator."))]
    kept = [name for name in weights if not name.endswith(("running_mean", "running_var"))]
    assert len(kept) > 8 and all(np.allclose(new[name], old[name]) for name in kept)


@pytest.mark.parametrize("ema", [2e4, 0.0])
def test_averaged_weights_are_loaded_from_the_other_run_or_begin_with_its_weights(ema, tmp_path):
    origin = new_run(tmp_path / "r", "vanilla", ema=ema)
    old = lively(origin.settings.training())
    if old.ema:
        old.ema.target.data *= 2.0
    origin.save(training=old)
    new = settings("vanilla", ema=2e4, seed=1).training()
    images = new.gan.G(new.gan.latent(2)).sum()
    origin_module.begin_with(origin, new)
    assert (new.ema.target.data == (old.ema.target if old.ema else old.gan.G.flat).data).all()
    assert (new.gan.G.flat.data == old.gan.G.flat.data).all()
    with pytest.raises(RuntimeError, match="updated in place"):  # a graph of the weights before
        grad(images, new.gan.G.parameters())


def test_a_network_with_augmentation_begins_with_the_weights_of_one_without(tmp_path):
    origin = new_run(tmp_path / "r", "cgan", classes=10)
    old = lively(origin.settings.training())
    origin.save(training=old)
    new = settings("cgan", classes=10, augment=0.5, seed=1).training()
    assert origin_module.begin_with(origin, new) == f"with the weights of {origin.folder}"
    assert (new.gan.D.flat.data == old.gan.D.flat.data).all()


def test_arrays_of_other_shapes_are_not_loaded_and_are_named(trained, labelled, tmp_path):
    words = ["--from", trained[0], "--preset", "cgan", "--data", labelled, "--batch-size", 4, "--max-steps", 1]
    done = train(*words, "--out", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    assert f"begins   with the weights of {trained[0]}; new, because the shapes differ: generator 0.weight, " in (
        done.stdout
    )
    assert ", discriminator 0.weight, " in done.stdout


@pytest.mark.parametrize(
    "old, words, expected",  # what the other run used; options; (data, no_labels, groups) of the new run
    [
        ({}, [], ("labelled", False, 0)),
        ({"no_labels": True, "name": "dcgan", "classes": 0}, [], ("labelled", True, 0)),
        ({"groups": (20, 12, 8)}, [], ("labelled", False, 3)),
        ({"groups": (20, 12, 8)}, ["--groups", "2"], ("labelled", False, 2)),
        ({}, ["--data", "tiny", "--preset", "dcgan", "--groups", "0"], ("tiny", False, 0)),
        ({}, ["--data", "mnist"], (None, False, 0)),
    ],
)
def test_a_run_begins_with_the_data_of_the_other_run_by_default(
    old, words, expected, labelled, tiny, tmp_path, monkeypatch
):
    folders = {"labelled": str(labelled), "tiny": str(tiny), None: None}
    mnist = data.load(labelled)._replace(name="mnist")
    load = data.load
    monkeypatch.setattr(
        data, "load", lambda source, **options: mnist if data.is_mnist(source) else load(source, **options)
    )
    origin = new_run(tmp_path / "a", **{"name": "cgan", "data": folders["labelled"], **old})
    words = ["--from", str(origin.folder), "--out", str(tmp_path / "b"), "--batch-size", "4", "--quiet", *words]
    new = start.new_run(parse(None, [folders.get(word, word) for word in words])).run.settings
    assert (new.data, new.no_labels, len(new.groups)) == (folders[expected[0]], *expected[1:])


def test_a_resumed_run_cannot_change_and_the_refusal_names_from(capsys):
    with pytest.raises(SystemExit):
        parse(None, ["--resume", "runs/a", "--lr", "1e-4", "--latent", "9"])
    assert "--lr, --latent cannot change. --from runs/a begins a new run with its weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, message",
    [
        (["--data", "ring", "--preset", "vanilla"], "no array of its generator has the shape that this run needs"),
        (["--resume", "nowhere"], "--from cannot change"),
    ],
)
def test_a_run_that_cannot_begin_from_another_is_refused(trained, tmp_path, words, message):
    out = [] if "--resume" in words else ["--out", tmp_path / "r"]
    done = train("--from", trained[0], *words, *out)
    assert done.returncode != 0 and message in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "r").exists()
