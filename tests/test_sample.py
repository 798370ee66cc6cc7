"""sample.py draws from a run, or refuses with a sentence. The runs are untrained, because that is fast."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from idx_files import idx
from matplotlib.image import imread
from PIL import Image
from runs import new_run

from tinygan import backend, data
from tinygan.app import interpolation
from tinygan.app.errors import run_program
from tinygan.app.runs import Run

sys.path.append(str(Path(__file__).parent.parent))

import sample

if backend.device != "cpu":
    pytest.skip("tested on the CPU only", allow_module_level=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Make runs on grey images, on grey images with classes, on coloured images, and on points. Return their folder."""
    folder = tmp_path_factory.mktemp("sample")
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    (folder / "train-images").write_bytes(idx(images))
    new_run(folder / "grey", "dcgan", str(folder), classes=0)
    new_run(folder / "classes", "cgan", str(folder))
    new_run(folder / "colour", "vanilla", str(folder), (8, 8, 3))
    new_run(folder / "ring", "vanilla", "ring", (2,), 0)
    return folder


@pytest.fixture
def draw(runs, tmp_path, monkeypatch):
    """Return a function that calls sample.py: draw("grey", "a.png", "--n", 4) returns the path of the new file."""

    def call(kind, name, *words):
        out = tmp_path / name
        monkeypatch.setattr(
            sys, "argv", ["sample.py", str(runs / kind), "--device", "cpu", "--out", str(out), *map(str, words)]
        )
        sample.main(sample.arguments())
        return out

    return call


def load(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def size(n):
    """Return the side in pixels of a grid with n images of 8 pixels."""
    return 2 * (10 * n + 2)


def test_a_seed_draws_the_same_images_again(draw):
    a, b, c = (load(draw("grey", "a.npz", "--n", 300, "--seed", seed))["images"] for seed in (1, 1, 2))
    assert a.shape == (300, 8, 8) and a.dtype == np.uint8
    assert (a == b).all() and (a != c).any()


@pytest.mark.parametrize("words, height, width", [([], 8, 8), (["--n", 10], 3, 4)])
def test_a_grid_is_nearly_square(draw, words, height, width):
    assert imread(draw("grey", "a.png", *words)).shape[:2] == (size(height), size(width))


def test_all_classes_are_drawn_in_turn_or_only_the_chosen_one(draw):
    assert load(draw("classes", "a.npz"))["labels"].tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert imread(draw("classes", "a.png")).shape[:2] == (size(3), size(10))
    one = load(draw("classes", "a.npz", "--digit", 2, "--n", 5))
    assert one["labels"].tolist() == [2] * 5
    assert (one["images"] != load(draw("classes", "a.npz", "--digit", 1, "--n", 5))["images"]).any()


def test_a_run_on_coloured_images_draws_in_colours(draw):
    assert load(draw("colour", "a.npz", "--n", 2))["images"].shape == (2, 8, 8, 3)
    assert np.ptp(imread(draw("colour", "a.png", "--n", 2))[..., :3], -1).max() > 0
    with Image.open(draw("colour", "a.gif", "--interpolate", "--n", 1)) as gif:
        assert np.ptp(np.asarray(gif.convert("RGB")), -1).max() > 0


def test_an_interpolation_goes_from_one_image_to_another(draw):
    way = load(draw("grey", "a.npz", "--interpolate", "--n", 4))["images"].astype(float)
    assert way.shape == (4, 10, 8, 8)
    steps = np.abs(np.diff(way, axis=1)).mean((1, 2, 3))
    assert (steps > 0).all() and (steps < np.abs(way[:, -1] - way[:, 0]).mean((1, 2))).all()
    assert imread(draw("grey", "a.png", "--interpolate")).shape[:2] == (size(6), size(10))


def test_an_interpolation_stays_within_a_class(draw):
    assert load(draw("classes", "a.npz", "--interpolate"))["labels"].tolist() == [0, 1, 2]
    assert load(draw("classes", "a.npz", "--interpolate", "--digit", 2))["labels"].tolist() == [2] * 6


@pytest.mark.parametrize("kind, height, width", [("grey", 5, 5), ("classes", 1, 3)])
def test_an_animation_ends_where_it_begins_and_never_jumps(draw, kind, height, width):
    with Image.open(draw(kind, "a.gif", "--interpolate")) as gif:
        assert gif.size == (size(width), size(height)) and gif.n_frames == 60
        frames = np.stack([np.asarray((gif.seek(i), gif.convert("L"))[1], float) for i in range(60)])
    steps = np.abs(frames - np.roll(frames, 1, 0)).mean((1, 2))
    assert steps.max() < 3 * np.median(steps) and steps.min() > 0


def test_each_sample_is_shown_beside_its_nearest_training_image(draw, runs, capsys):
    found = load(draw("grey", "a.npz", "--nearest", "--n", 7))
    real = data.load(runs).images[..., 0]
    distance = np.sqrt(((found["images"][:, None].astype(float) - real) ** 2).sum((2, 3))) / 255
    assert found["distance"] == pytest.approx(distance.min(1)) and (found["nearest"] == real[distance.argmin(1)]).all()
    assert f"nearest of 30 training images: {distance.min(1).min():.2f} to" in capsys.readouterr().out
    assert imread(draw("grey", "a.png", "--nearest", "--n", 7)).shape[:2] == (size(2), 2 * (5 * 26 + 2))


def test_the_nearest_image_is_found_in_every_block_and_a_copy_has_distance_zero():
    among = np.random.default_rng(1).integers(0, 256, (25, 2, 2, 3), dtype=np.uint8)
    where, distance = sample.nearest_in_blocks(among[[0, 9, 10, 24]], among, block=10)
    assert where.tolist() == [0, 9, 10, 24] and (distance == 0).all()


def test_interpolated_vectors_keep_the_length_and_turn_evenly(rng):
    a, b = rng.normal((2, 5, 40))
    a, b = (x / np.sqrt((x * x).sum(-1, keepdims=True)) for x in (a, b))
    arc = interpolation.path_through(np.stack([a, b]), 9)
    assert arc[0] == pytest.approx(a, abs=1e-6) and arc[-1] == pytest.approx(b, abs=1e-6)
    assert np.sqrt((arc * arc).sum(-1)) == pytest.approx(np.ones((9, 5)), abs=1e-5)
    cosines = (arc[1:] * arc[:-1]).sum(-1)
    assert cosines == pytest.approx(np.broadcast_to(cosines[0], (8, 5)), abs=1e-5)
    assert arc.dtype == np.float32


@pytest.mark.parametrize("b", [2.0, -1.0])
def test_parallel_vectors_are_interpolated_on_a_line(b):
    way = interpolation.path_through(np.array([[1.0], [b]], np.float32), 3)
    assert way.ravel() == pytest.approx([1, (1 + b) / 2, b])


def test_a_run_has_a_picture_of_interpolations(runs):
    for kind, height in (("grey", 6), ("classes", 3)):
        run = Run.open(runs / kind)
        training = run.settings.training()
        run.load_generator(training)
        interpolation.save(run, training)
        assert imread(run.folder / "interpolation.png").shape[:2] == (size(height), size(10))


def test_points_of_a_toy_world_are_drawn(draw):
    assert imread(draw("ring", "a.png")).shape[:2] == (500, 500)
    points = load(draw("ring", "a.npz", "--n", 7))["points"]
    assert points.shape == (7, 2) and points.dtype == np.float32


def test_a_picture_replaces_a_link_and_leaves_no_temporary_file(draw, tmp_path):
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "a.PNG").symlink_to(tmp_path / "outside")
    draw("grey", "a.PNG", "--n", 2)
    assert imread(tmp_path / "a.PNG").shape[0] and (tmp_path / "outside").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.PNG", "outside"]


class CUDARuntimeError(RuntimeError):
    """An error with the name of CuPy's class."""


ENDS = [
    (KeyboardInterrupt(), "interrupted"),
    (MemoryError(), "not enough memory"),
    (CUDARuntimeError("cudaErrorMemoryAllocation: out of memory"), "not enough memory"),
    (CUDARuntimeError("cudaErrorIllegalAddress"), "run again with CUDA_LAUNCH_BLOCKING=1"),
]


@pytest.mark.parametrize("error, message", ENDS)
@pytest.mark.parametrize("script", ["sample", "evaluate", "train"])
def test_an_interrupt_a_lack_of_memory_or_an_error_of_the_gpu_ends_a_script_with_one_sentence(
    capsys, error, message, script
):
    def fail(args):
        raise error

    status = run_program(f"{script}.py", fail, SimpleNamespace(debug=False))
    printed = capsys.readouterr().err or status
    assert status and printed.startswith(f"{script}.py: ") and message in printed and printed.strip().count("\n") == 0
    if not isinstance(error, KeyboardInterrupt):
        with pytest.raises(type(error)):
            run_program(f"{script}.py", fail, SimpleNamespace(debug=True))


def test_a_run_of_a_version_with_other_networks_is_refused_with_a_sentence(tmp_path):
    run = new_run(tmp_path / "r", latent_size=96)
    settings = dataclasses.replace(run.settings, preset=run.settings.preset._replace(latent_size=64))
    sentence = r"last\.npz belongs to other networks, or to other data: .*\(64, 256\); float32 \(96, 256\) was saved"
    with pytest.raises(ValueError, match=sentence):
        run.load_generator(settings.training())


REFUSED = [  # run, file, further arguments, part of the message
    ("grey", "a.jpg", [], "must end in .png or .npz; got"),
    ("grey", "a.gif", [], "a .gif needs --interpolate"),
    ("grey", "a.gif", ["--nearest"], "a .gif needs --interpolate"),
    ("grey", "a.onnx", ["--n", 3], "will contain G itself"),
    ("grey", "no/a.png", [], "there is no folder"),
    ("grey", "a.png", ["--n", 0], "--n must be from 1 to 10000 here; got 0"),
    ("grey", "a.png", ["--n", 10_001], "--n must be from 1 to 10000 here; got 10001"),
    ("grey", "a.gif", ["--n", 101, "--interpolate"], "--n must be from 1 to 100 here; got 101"),
    ("grey", "a.png", ["--nearest", "--interpolate"], "not allowed with"),
    ("grey", "a.png", ["--seed", -1], "--seed must be from 0"),
    ("grey", "a.png", ["--digit", 1], "it has no classes"),
    ("grey", "a.png", ["--device", "tpu"], "no device is called 'tpu'"),
    ("classes", "a.png", ["--digit", 3], "has no class 3: it has classes 0 to 2"),
    ("colour", "a.png", ["--nearest"], "was trained on data with another shape"),
    ("ring", "a.png", ["--nearest"], "is a run on toy data"),
    ("ring", "a.gif", ["--interpolate"], "is a run on toy data"),
    ("grey", "a.png", ["--best"], "there is no such checkpoint"),
    ("grey", "a.png", ["--data", "elsewhere"], "--data and --skip-broken need --nearest"),
    ("nowhere", "a.png", [], "is not a run"),
]


@pytest.mark.parametrize("kind, name, words, message", REFUSED)
def test_requests_that_cannot_be_drawn_are_refused_with_a_sentence(draw, tmp_path, capsys, kind, name, words, message):
    with pytest.raises((SystemExit, ValueError, backend.DeviceError)) as error:
        draw(kind, name, *words)
    printed = capsys.readouterr().err or str(error.value)
    assert message in printed.strip().splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_best_draws_from_the_best_checkpoint(runs, tmp_path):
    folder = tmp_path / "r"
    run = new_run(folder)
    training = run.settings.training()
    training.gan.G.flat.data[...] = 0.0
    if training.ema:
        training.ema.target.data[...] = 0.0
    run.save("best", training=training)
    pictures = {}
    for name, words in (("last", []), ("best", ["--best"])):
        arguments = ["sample.py", str(folder), "--device", "cpu", "--out", str(tmp_path / f"{name}.npz")]
        done = subprocess.run(
            [sys.executable, *arguments, "--n", "4", *words],
            cwd=Path(sample.__file__).parent, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        pictures[name] = np.load(tmp_path / f"{name}.npz")["images"]
    assert (pictures["best"] == 128).all() and pictures["last"].std() > 0
