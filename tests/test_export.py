"""generator.onnx gives tinygan's images in ONNX Runtime, and generator.npz has the weights of the same G."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import run as command
from runs import lively, new_run, settings

from tinygan import Tensor, backend, data
from tinygan.app import export, onnx_model
from tinygan.gan.presets import PRESETS
from tinygan.layers import BatchNorm, Conv2d, Sequential, Tanh

if backend.device != "cpu":
    pytest.skip("files are written on the CPU", allow_module_level=True)

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(scope="module")
def onnxruntime():
    reason = "needs the extra onnx: pip install -e '.[onnx]'"
    pytest.importorskip("onnx", reason=reason)
    return pytest.importorskip("onnxruntime", reason=reason)


def inputs(training, n):
    latent = np.random.default_rng(n).normal(size=(n, training.gan.latent_size)).astype(np.float32)
    return (latent, np.arange(n) % training.gan.classes) if training.gan.classes else (latent,)


CASES = [*((name, (8, 12, 1)) for name in PRESETS), ("cgan", (8, 12, 3)), ("r3gan", (2,))]


@pytest.mark.parametrize("name, shape", CASES)
def test_onnx_runtime_draws_tinygans_images_in_batches_of_any_size(tmp_path, onnxruntime, name, shape):
    run = new_run(tmp_path / "r", name, shape=shape, data="ring" if len(shape) == 1 else None)
    training = lively(run.settings.training())
    onnx_model.save(tmp_path / "generator.onnx", export.generator(training, shape))
    session = onnxruntime.InferenceSession(tmp_path / "generator.onnx")
    for n in (1, 5):
        given = inputs(training, n)
        ours = training.sample(*given)
        (found,) = session.run(["images"], dict(zip(("latent", "labels"), given)))
        assert found.shape == ours.shape and np.abs(ours).max() > 0.5
        assert np.abs(found - ours).max() <= 1e-4


def test_sample_writes_both_files_and_says_where(tmp_path, onnxruntime):
    run = new_run(tmp_path / "r", "cgan")
    for name in ("generator.onnx", "generator.npz"):
        done = command("sample.py", run.folder, "--device", "cpu", "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert f"written: {tmp_path / name}" in done.stdout
    session = onnxruntime.InferenceSession(tmp_path / "generator.onnx")
    assert [(x.name, x.type) for x in session.get_inputs()] == [
        ("latent", "tensor(float)"),
        ("labels", "tensor(int64)"),
    ]
    assert session.get_outputs()[0].shape == ["N", 8, 8, 1]
    with np.load(tmp_path / "generator.npz", allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        assert about["latent_size"] == 32 and about["classes"] == 3 and about["shape"] == [8, 8, 1]
        kinds = [step["kind"] for step in about["operations"]]
        assert kinds[:2] == ["linear", "reshape"] and kinds[-1] == "tanh"
        assert file["0.weight"].shape == (35, 2 * 2 * 64)


def test_without_the_package_onnx_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(export.ExportError, match="needs the package onnx: pip install"):
        onnx_model.save(tmp_path / "g.onnx", export.Generator([], 2, 0, (2,)))
    assert not list(tmp_path.iterdir())


def test_importing_the_export_modules_does_not_import_onnx():
    code = "import sys; from tinygan.app import export, onnx_model; assert 'onnx' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_folding_batch_norm_into_linear_changes_no_result(rng):
    training = lively(settings("dcgan").training())
    network = training.sampler()
    network.layers[2].running_var[...] = 1e-5  # as small as eps
    steps = export.operations(network)
    latent = rng.normal((3, training.gan.latent_size))
    first = latent @ steps[0].arrays["weight"] + steps[0].arrays["bias"]
    reshape, norm = network.layers[1], network.layers[2]
    expected = norm(reshape(network.layers[0](Tensor(latent)))).numpy()
    assert first.reshape(expected.shape) == pytest.approx(expected, rel=1e-4, abs=1e-2)


def test_layers_that_cannot_be_exported_are_named(rng):
    with pytest.raises(export.ExportError, match="the layer Conv2d cannot be exported"):
        export.operations(Sequential(Conv2d(1, 2, 3, rng)))
    with pytest.raises(export.ExportError, match="here it follows tanh"):
        export.operations(Sequential(Tanh(), BatchNorm(2)))
    large = export.Operation("linear", {"weight": np.full((1, 1), 1e6), "bias": np.zeros(1)})
    with pytest.raises(export.ExportError, match="too large for half precision"):
        export.in_half_precision([large])


def test_exporting_does_not_change_the_training():
    training = settings("dcgan").training()
    before = {name: array.copy() for name, array in training.state_dict().items()}
    export.generator(training, (8, 8, 1))
    assert training.gan.G.training and training.gan.D.training
    assert all((training.state_dict()[name] == array).all() for name, array in before.items())


def test_the_lines_of_the_readme_draw_each_digit(tmp_path, onnxruntime, monkeypatch):
    (lines,) = re.findall(r"```python\n(import numpy as np, onnxruntime\n.*?)```", README.read_text(), re.DOTALL)
    assert len(lines.splitlines()) == 5
    run = new_run(tmp_path / "r", "cgan", shape=(28, 28, 1), classes=10)
    training = lively(run.settings.training())
    onnx_model.save(tmp_path / "generator.onnx", export.generator(training, (28, 28, 1)))
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(lines, names)
    ours = data.to_pixels(training.sample(names["latent"], np.arange(10))).astype(int)
    assert names["pixels"].shape == (10, 28, 28, 1) and np.abs(ours - names["pixels"]).max() <= 1
