"""The classifier of the metrics is trained once for each data set, and stored on disk.

Stored weights are used only if they have the SHA-256 that was recorded with them.
"""

import json
import math
import os

import numpy as np
import pytest
from idx_files import idx, pictures, write

from tinygan import Tensor, backend, check_grads, data
from tinygan.metrics import Evaluator, MetricsError, classifier, cross_entropy, store
from tinygan.metrics import evaluator as evaluators


def test_cross_entropy_is_minus_log_softmax_and_its_derivatives_match_finite_differences():
    logits, one_hot = 3 * np.random.default_rng(0).standard_normal((4, 3)), np.eye(3)[[0, 2, 1, 2]]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    on_device = backend.to_device(one_hot)
    found = cross_entropy(Tensor(backend.to_device(logits)), on_device).item()
    assert found == pytest.approx(-np.log((p * one_hot).sum(1)).mean())
    check_grads(lambda x: cross_entropy(x, on_device), [logits])
    far = Tensor(backend.to_device(1000 * one_hot))
    assert cross_entropy(far, on_device).item() == 0
    assert cross_entropy(-far, on_device).item() == pytest.approx(1000 + math.log(2))


def test_shifted_images_repeat_their_edges():
    images = np.zeros((200, 6, 8, 3), np.uint8)
    images[:, 2, 3] = 255
    images[:, :, 0] = 7
    moved = classifier.moved(images, np.random.default_rng(0))
    assert moved.shape == images.shape
    places = {tuple(np.argwhere(image[..., 0] == 255)[0]) for image in moved}
    assert places == {(2 + down, 3 + right) for down in range(-2, 3) for right in range(-2, 3)}
    assert set(np.unique(moved)) == {0, 7, 255}


def test_weights_with_another_hash_are_refused(tmp_path):
    content = bytearray(store.SHIPPED.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "mnist.npz").write_bytes(content)
    (tmp_path / "mnist.json").write_bytes(store.SHIPPED.with_suffix(".json").read_bytes())
    with pytest.raises(MetricsError, match=r"not the weights described by mnist\.json"):
        store.load(tmp_path / "mnist.npz")
    (tmp_path / "mnist.json").write_text("{")
    assert store.read_record(tmp_path / "mnist.npz") == store.read_record(tmp_path / "other.npz") == {}


def test_mnist_is_measured_with_the_classifier_of_the_package_and_10000_images(monkeypatch):
    """Every distance of the README was measured with these weights."""
    monkeypatch.setattr(classifier.Classifier, "predict", lambda self, images: (np.zeros((len(images), 2)), None))
    measured = Evaluator(progress=None)  # so that training a classifier would fail
    assert store.sha256(store.SHIPPED) == "d0d5ebc0186295d0a6ec47d4f031e5ff4ca38b08155070747a3f402288138056"
    assert measured.record["test_accuracy"] == 0.9952 and measured.note is None
    assert {layer.slope for layer in measured.classifier.modules() if hasattr(layer, "slope")} == {0.1}
    assert len(measured.test.images) == len(measured.real.images) == 10_000


@pytest.mark.parametrize("changed", ["image", "label", "shape", "recipe"])
def test_the_mark_of_a_classifier_changes_with_its_data_and_its_recipe(changed, monkeypatch):
    images, labels = np.zeros((4, 2, 3, 1), np.uint8), np.array([0, 1, 1, 0], np.uint8)
    before = store.fingerprint(data.Dataset(images, labels, "small"))
    if changed == "image":
        images[0, 0, 0] = 1
    elif changed == "label":
        labels[0] = 1
    elif changed == "shape":
        images = images.reshape(4, 3, 2, 1)
    else:
        monkeypatch.setattr(store, "RECIPE", store.RECIPE + 1)
    assert store.fingerprint(data.Dataset(images, labels, "small")) != before


def test_training_images_get_noise_of_up_to_50():
    noisy = classifier.disturbed(np.full((500, 20, 20, 1), 128, np.uint8), np.random.default_rng(0))
    spread = noisy.std((1, 2, 3))
    assert spread.min() < 2 and spread.mean() == pytest.approx(25, rel=0.1) and 45 < spread.max() < 53


def blank(n):
    return data.Dataset(np.zeros((n, 8, 8, 1), np.uint8), np.arange(n, dtype=np.uint8) % 2, "blank")


@pytest.mark.parametrize("images, steps", [(40, 200), (30 * 128 + 5, 300)])
def test_a_classifier_is_trained_for_ten_epochs_or_at_least_200_steps(images, steps):
    counts = []
    classifier.train(blank(images), progress=lambda steps: (counts.append(len(steps)), ())[1])
    assert counts == [steps]


def test_the_learning_rate_of_the_classifier_falls_to_zero_on_a_cosine_curve(monkeypatch):
    found = []

    class Recorded(classifier.Adam):
        def step(self, gradients):
            found.append((float(self.lr[0]), self.beta1, float(self.one_minus_beta2[0])))
            super().step(gradients)

    monkeypatch.setattr(classifier, "Adam", Recorded)
    classifier.train(blank(8), progress=lambda steps: (0, 50, 100, 199))
    expected = [2e-3 * share for share in (1, 0.5 + 0.5**1.5, 0.5, 0)]
    np.testing.assert_allclose(found, [(lr, 0.9, 1e-3) for lr in expected], rtol=1e-5, atol=1e-6)


def stripes(n, seed):
    """Return noisy colour images and their classes, as the contents of two IDX files.

    The classes are horizontal stripes, vertical stripes, and one colour.
    """
    rng = np.random.default_rng(seed)
    kinds = np.arange(n) % 3
    images = rng.integers(0, 100, (n, 12, 9, 3))
    for image, kind in zip(images, kinds):
        image[:: 2 if kind == 0 else 1, :: 2 if kind == 1 else 1, 1] += 120
    return idx(images), idx(kinds)


def test_the_classifier_for_other_data_is_trained_once_and_stored(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(classifier, "LEAST_STEPS", 30)
    (images, kinds), (test_images, test_kinds) = stripes(90, 0), stripes(60, 1)
    folder = tmp_path / "stripes"
    folder.mkdir()
    write(folder, train_images=images, train_labels=kinds, test_images=test_images, test_labels=test_kinds)
    trained = []

    def progress(steps):
        trained.append(len(steps))
        return steps

    first, again = Evaluator(folder, progress=progress), Evaluator(folder, progress=progress)
    assert trained == [30]
    assert "only 60 test images" in first.note and "The classifier" not in first.note and not first.has_floor
    assert first.record["test_accuracy"] == again.record["test_accuracy"] >= 0.95
    assert first.distance(first.real.images) == again.distance(first.real.images)
    kept = sorted(path.suffix for path in (tmp_path / "cache/tinygan").iterdir())
    assert kept == [".json", ".npz"]
    monkeypatch.setattr(classifier, "LEAST_STEPS", 10)
    write(folder, train_labels=idx(np.arange(90) // 3 % 3))
    Evaluator(folder, progress=progress)
    assert trained == [30, 10]  # trained again, because the labels have changed


def test_training_images_are_not_read_twice(tmp_path, monkeypatch):
    folder = write(tmp_path, train_images=idx(pictures(36)), train_labels=idx(np.arange(36) % 2))
    train, load = data.load(folder), data.load
    monkeypatch.setattr(data, "load", lambda source, split="train", *how: {"test": load}[split](source, split, *how))
    assert len(evaluators.splits(folder, train)[0].images) == 30


def test_a_sixth_of_the_training_images_replaces_missing_test_images_with_a_note(tmp_path):
    images = np.arange(36)[:, None, None] + 100 * np.eye(8)
    write(tmp_path, train_images=idx(images), train_labels=idx(np.arange(36) % 2))
    train, test, note = evaluators.splits(tmp_path)
    assert len(train.images) == 30 and len(test.images) == 6
    parts = np.concatenate([train.images, test.images])[:, 0, 1, 0], np.concatenate([train.labels, test.labels])
    assert sorted(parts[0]) == list(range(36)) and (parts[0] % 2 == parts[1]).all()
    assert "has no test images" in note and "A sixth of the training images replaces them" in note
    write(tmp_path, test_images=idx(np.zeros((3, 8, 8))))
    assert "no labels, or another size" in evaluators.splits(tmp_path)[2]
    assert evaluators.splits(None)[2] is None


def test_data_that_cannot_be_measured_is_refused_with_the_reason(tmp_path):
    write(tmp_path, train_images=idx(pictures(30)))
    with pytest.raises(MetricsError, match="needs labels of at least two classes"):
        Evaluator(tmp_path)
    with pytest.raises(MetricsError, match="too small: it needs more than 5 test images"):
        Evaluator(write(tmp_path, train_labels=idx(np.arange(30) % 2)))


@pytest.fixture
def separable(tmp_path, monkeypatch):
    """Write 36 images of two classes. A classifier for them is trained for 12 steps, and stored in tmp_path/cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(classifier, "LEAST_STEPS", 12)
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    images = np.random.default_rng(0).integers(0, 256, (36, 8, 8))
    return write(tmp_path, train_images=idx(images), train_labels=idx(np.arange(36) % 2))


def trained_steps(folder):
    """Make an Evaluator. Return (the steps in which it trained a classifier, the Evaluator)."""
    steps = []
    measured = Evaluator(folder, progress=lambda all_steps: (steps.append(step) or step for step in all_steps))
    return steps, measured


def test_a_damaged_state_of_an_interrupted_training_is_not_used(tmp_path):
    path = tmp_path / "c.partial.npz"
    store.write_arrays(path, {"step": np.array(7), "network.w": np.arange(6.0)})
    content = path.read_bytes()
    assert store.read_partial(path)["step"] == 7
    for position in range(0, len(content), 7):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x41]) + content[position + 1 :])
        found = store.read_partial(path)
        assert found is None or (found["step"] == 7 and (found["network.w"] == np.arange(6.0)).all())
    path.write_bytes(content[:-40])
    assert store.read_partial(path) is store.read_partial(tmp_path / "nothing") is None


RECORDS = {
    "deep": "[" * 100_000,
    "not UTF-8": b"\xff\xfe{",
    "huge number": '{"channels": 1' + "0" * 5000 + "}",
    "list": "[1]",
    "empty": "",
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_that_cannot_be_read_is_empty(kind, tmp_path):
    content = RECORDS[kind]
    (tmp_path / "c.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert store.read_record(tmp_path / "c.npz") == {}


def test_without_a_home_folder_the_classifier_is_only_in_memory(monkeypatch, capsys):
    for name in ("XDG_CACHE_HOME", "HOME", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user who is not in /etc/passwd
    assert store.cached("c.npz") is None and not store.can_write(None)
    said = "the classifier cannot be kept (there is no home folder). It is only in memory\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("damage", ["weights", "no weights", "record", "list", "shape"])
def test_a_damaged_classifier_is_trained_again(separable, tmp_path, damage):
    assert len(trained_steps(separable)[0]) == 12
    (weights,) = (tmp_path / "cache/tinygan").glob("*.npz")
    if damage == "weights":
        weights.write_bytes(weights.read_bytes()[:-9])
    elif damage == "no weights":
        weights.unlink()
    elif damage == "shape":
        record = json.loads(weights.with_suffix(".json").read_text())
        weights.with_suffix(".json").write_text(json.dumps({**record, "channels": 10**12}))
    else:
        weights.with_suffix(".json").write_text("[]" if damage == "list" else "{")
    assert len(trained_steps(separable)[0]) == 12 and trained_steps(separable)[0] == []


def test_a_classifier_of_an_older_recipe_is_trained_again(separable, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store, "RECIPE", store.RECIPE - 1)
        assert len(trained_steps(separable)[0]) == 12 and trained_steps(separable)[0] == []
    assert len(trained_steps(separable)[0]) == 12 and trained_steps(separable)[0] == []


def test_a_classifier_that_cannot_be_stored_is_used_with_a_warning(separable, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file in place of the folder")
    steps, measured = trained_steps(separable)
    assert len(steps) == 12 and measured.record["test_accuracy"] <= 1
    assert "cannot be kept" in capsys.readouterr().err


MANY = [0, 1] * 200
DOUBTS = [  # accuracy, labels of the test images, parts of the notes
    (0.99, MANY, []),
    (0.76, MANY, []),
    (0.74, MANY, ["right on 74% of the test images, and 50% of them have one class"]),
    (0.97, [0] * 388 + [1] * 12, ["right on 97% of the test images, and 97% of them"]),
    (0.99, [0] * 388 + [1] * 12, []),  # it finds 8 of the 12
    (1.0, [0] * 400, ["100% of them have one class"]),
    (1.0, [0] * 10, ["only 10 test images", "100% of them have one class"]),
    (0.3, list(range(10)) * 40, ["right on 30% of the test images, and 10% of them"]),
    (0.97, list(range(10)) * 20, ["only 200 test images: with fewer than 256"]),
]


@pytest.mark.parametrize("accuracy, labels, parts", DOUBTS)
def test_a_note_says_if_the_classifier_only_knows_the_largest_class_or_if_test_images_are_few(accuracy, labels, parts):
    found = evaluators.doubts(accuracy, np.array(labels))
    assert len(found) == len(parts) and all(part in note for part, note in zip(parts, found))


def test_ctrl_c_stores_the_state_of_the_training(separable, tmp_path):
    """The next Evaluator continues the training, and ends with the same weights as without the interruption."""
    whole = trained_steps(separable)[1].record["sha256"]
    for path in (tmp_path / "cache/tinygan").iterdir():
        path.unlink()

    def stopped(steps):
        for step in steps:
            if step == 7:
                raise KeyboardInterrupt
            yield step

    with pytest.raises(KeyboardInterrupt):
        Evaluator(separable, progress=stopped)
    (kept,) = (tmp_path / "cache/tinygan").iterdir()
    assert kept.name.endswith(".partial.npz")
    assert trained_steps(separable)[1].record["sha256"] == whole
    assert len(list((tmp_path / "cache/tinygan").iterdir())) == 2
