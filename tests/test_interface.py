"""tinygan.load draws from a run, and tinygan.train trains one."""

import inspect
import io
import os
import signal
import threading

import numpy as np
import pytest
from PIL import Image
from runs import lively, new_run

import tinygan
from tinygan import backend
from tinygan.app import options
from tinygan.gan.training import Training

if backend.device != "cpu":
    pytest.skip("tested on the CPU only", allow_module_level=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Make runs with random weights on grey images with classes, coloured images, and points. Return their folder."""
    folder = tmp_path_factory.mktemp("interface")
    kinds = {"grey": ("cgan", (8, 8, 1), None), "colour": ("r3gan", (8, 8, 3), None), "ring": ("r3gan", (2,), "ring")}
    for name, (preset, shape, source) in kinds.items():
        run = new_run(folder / name, preset, source, shape)
        run.save(training=lively(run.settings.training()))
    return folder


def test_equal_seeds_draw_equal_images_and_without_a_seed_images_differ(runs):
    model = tinygan.load(runs / "grey")
    a, b, c, d = (model.sample(6, seed=seed) for seed in (1, 1, None, None))
    assert a.shape == (6, 8, 8) and a.dtype == np.uint8 and (a == b).all()
    assert (a != c).any() and (c != d).any()


def test_digit_chooses_a_class_and_by_default_all_classes_take_turns(runs):
    model = tinygan.load(runs / "grey")
    latent = np.random.default_rng(3).standard_normal((4, model.latent_size), np.float32)
    assert (model.sample(4, digit=2, seed=3) == model.generate(latent, [2] * 4)).all()
    assert (model.sample(4, seed=3) == model.generate(latent, [0, 1, 2, 0])).all()


def test_generate_returns_the_images_of_training_sample(runs):
    model = tinygan.load(runs / "colour")
    latent = np.random.default_rng(3).standard_normal((4, model.latent_size), np.float32)
    expected = tinygan.data.to_pixels(model.training.sample(latent))
    assert (model.generate(latent) == expected).all() and expected.shape == (4, 8, 8, 3) and expected.std() > 40


def test_a_notebook_shows_a_grid(runs):
    with Image.open(io.BytesIO(tinygan.load(runs / "grey")._repr_png_())) as picture:
        assert picture.size == (2 * (10 * 10 + 2), 2 * (3 * 10 + 2))
    assert tinygan.load(runs / "ring")._repr_png_() is None
    points = tinygan.load(runs / "ring").sample(5)
    assert points.shape == (5, 2) and points.dtype == np.float32
    assert repr(tinygan.load(runs / "ring")) == f"<r3gan on ring, {runs / 'ring'}>"


@pytest.mark.parametrize(
    "kind, call, message",
    [
        ("grey", lambda m: m.sample(2, digit=3), "grey has no class 3: it has classes 0 to 2"),
        ("colour", lambda m: m.sample(2, digit=0), "colour has no class 0: it has no classes"),
        ("grey", lambda m: m.generate(np.zeros((2, 5)), [0, 1]), r"the shape \(N, 32\), N at least 1; got \(2, 5\)"),
        ("grey", lambda m: m.sample(0), "n must be a whole number, at least 1; got 0"),
        ("grey", lambda m: m.sample(-1), "n must be a whole number, at least 1; got -1"),
        ("colour", lambda m: m.sample("3"), "n must be a whole number, at least 1; got '3'"),
        ("ring", lambda m: m.sample(2.0), "n must be a whole number, at least 1; got 2.0"),
        ("grey", lambda m: m.sample(2, seed=-1), "seed must be a whole number, at least 0; got -1"),
        ("grey", lambda m: m.sample(2, seed=0.5), "seed must be a whole number, at least 0; got 0.5"),
        ("grey", lambda m: m.generate(np.zeros((2, 32))), r"has 3 classes: labels must be integers \(N,\)"),
        ("grey", lambda m: m.generate(np.zeros((2, 32)), [0, 3]), "2 integers from 0 to 2; got"),
        ("grey", lambda m: m.generate(np.zeros((2, 32)), [0.5, 1]), "2 integers from 0 to 2; got"),
    ],
)
def test_samples_that_cannot_be_drawn_are_refused_with_the_reason(runs, kind, call, message):
    with pytest.raises(ValueError, match=message):
        call(tinygan.load(runs / kind))
    with pytest.raises(ValueError, match="nowhere is not a run"):
        tinygan.load("nowhere")


def test_train_returns_the_model_of_its_run_and_restores_signal_handlers(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGINT)
    model = tinygan.train("vanilla", data=tiny, batch_size=4, epochs=1, device="cpu", threads=1)
    assert model.sample(3).shape == (3, 8, 8) and signal.getsignal(signal.SIGINT) is before
    assert model.run.folder.parent.name == "runs" and ": loss D" in capsys.readouterr().out
    assert model.run.settings.arguments[:4] == ("--preset", "vanilla", "--data", str(tiny))


@pytest.mark.parametrize("interrupt", ["first", "second"])
def test_after_an_interrupt_the_same_process_can_resume_the_run(tiny, tmp_path, monkeypatch, interrupt):
    """The first interrupt saves the run. The second raises an exception, which the test keeps, as a notebook does."""
    step, kept = Training.step, []

    def interrupted(self, batches):
        if int(self.steps[0]) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            if interrupt == "second":
                raise KeyboardInterrupt
        step(self, batches)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "step", interrupted)
        options = dict(data=tiny, batch_size=4, device="cpu", preset="vanilla", threads=1, quiet=True)
        try:
            tinygan.train(**options, epochs=1, out=tmp_path / "r")
        except KeyboardInterrupt as error:
            kept.append(error)
    assert len(kept) == (interrupt == "second")
    model = tinygan.train(resume=tmp_path / "r", device="cpu", quiet=True)
    assert model.run.load(training=model.training) == 22


WRONG = [
    ({"epochs": 0}, ValueError, "must be a whole number from 1 to 100000"),
    ({"seed": -1}, ValueError, "argument --seed: must be a whole number from 0 to 4294967295; got -1"),
    ({"epoch": 1}, TypeError, "train has no option 'epoch'; did you mean epochs?"),
    ({"max": 1}, TypeError, "train has no option 'max'; did you mean max_steps?"),
    ({"batchsize": 4}, TypeError, "train has no option 'batchsize'; did you mean batch_size?"),
    ({"xyz": 4}, TypeError, "train has no option 'xyz'$"),
    ({"preset": np.zeros((9, 8, 8))}, ValueError, "the first argument of train is the name of a preset"),
    ({"preset": "stylegan"}, ValueError, "invalid choice: 'stylegan'"),
    ({"labels": [0, 1]}, ValueError, "labels belong to an array of images"),
    ({"data": "nowhere", "device": "cpu"}, ValueError, "nowhere: there is no such folder"),
]


@pytest.mark.parametrize("options, kind, message", WRONG)
def test_wrong_options_of_train_raise_and_leave_no_folder(options, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=message):
        tinygan.train(**options)
    assert not list(tmp_path.glob("runs/*"))


def test_train_has_every_option_of_the_command_line_with_its_type_and_its_help():
    known = {action.dest: action for action in options.parser(None)._actions}
    in_python = {"from_run": "from_", "latent_size": "latent"}
    expected = {in_python.get(dest, dest) for dest in known} - {"help", "debug"} | {"labels"}
    signature = inspect.signature(tinygan.train).parameters
    assert set(signature) == expected and all(p.annotation != p.empty for p in signature.values())
    page = " ".join(tinygan.train.__doc__.split())
    for dest, action in known.items():
        if dest not in ("help", "debug"):
            assert f" {in_python.get(dest, dest)}: {action.help}" in page
        kind = {"int": "int | None", "float": "float | None"}.get(getattr(action.type, "kind", ""))
        assert kind is None or signature[in_python.get(dest, dest)].annotation == kind


def test_a_run_can_be_trained_in_a_thread_on_arrays_and_is_named_after_its_preset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, labels = np.random.default_rng(0).random((24, 8, 8)), np.arange(24)[:, None] % 3
    found = []
    options = dict(batch_size=4, max_steps=2, device="cpu", threads=1, quiet=True)
    thread = threading.Thread(target=lambda: found.append(tinygan.train(data=images, labels=labels, **options)))
    thread.start()
    thread.join()
    (model,) = found
    assert model.run.folder.parent.name == "runs" and model.run.folder.name.startswith("cgan-")
    assert model.classes == 3 and model.sample(2, digit=1).shape == (2, 8, 8)
    kept = model.run.dataset()  # the arrays are kept beside the run
    assert (kept.images[..., 0] == np.rint(images * 255)).all() and kept.labels.tolist() == labels[:, 0].tolist()
