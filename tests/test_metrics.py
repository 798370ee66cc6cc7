"""Each metric equals its definition, and changes in the right direction when samples get worse."""

import hashlib
import itertools
import json
import math

import numpy as np
import pytest

from tinygan.metrics import Evaluator, frechet, labels, moments, neighbours, store
from tinygan.metrics import evaluator as evaluators

N = 1000


def gaussian(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def symmetric(d, seed):
    a = gaussian(d, d, seed)
    return a @ a.T / d + 0.1 * np.eye(d)


# The Frechet distance


def test_equal_sets_have_distance_zero_even_with_a_singular_covariance():
    for n in (5, 300):  # 5 points in 20 dimensions: a singular covariance
        of_set = moments(gaussian(n, 20))
        assert frechet(of_set, of_set) == pytest.approx(0, abs=1e-6)


def test_the_distance_of_gaussians_is_the_cost_of_optimal_transport():
    """Let x ~ N(m1, S1) and y = m1 + c + T (x - m1). If T is symmetric and positive definite, this map is the optimal
    transport from x to y. So the distance is E |x - y|^2 = |c|^2 + trace((I - T) S1 (I - T)).
    """
    s1, t, c = symmetric(12, 1), symmetric(12, 2), gaussian(1, 12)[0]
    m1, rest = gaussian(1, 12, 3)[0], np.eye(12) - symmetric(12, 2)
    m2 = m1 + c
    expected = (c**2).sum() + np.trace(rest @ s1 @ rest)
    assert frechet((m1, s1), (m2, t @ s1 @ t)) == pytest.approx(expected, rel=1e-9)
    assert frechet((m2, t @ s1 @ t), (m1, s1)) == pytest.approx(expected, rel=1e-9)


def test_two_samples_of_one_gaussian_have_the_expected_distance():
    """E[distance] = (5/2 sum_i v_i + sum_ij v_i v_j / (v_i + v_j)) / n to first order in 1/n

    v_i: the variances of the coordinates. n: the number of points in each sample.
    """
    n, variances = 2000, np.linspace(0.2, 3, 10)
    pairs = variances[:, None] * variances / (variances[:, None] + variances)
    samples = [moments(gaussian(n, 10, seed) * np.sqrt(variances)) for seed in range(80)]
    found = np.mean([frechet(a, b) for a, b in zip(samples[::2], samples[1::2])])
    assert found == pytest.approx((2.5 * variances.sum() + pairs.sum()) / n, rel=0.05)


# Nearest neighbours


def by_definition(real, fake, k):
    """Return precision, recall, density and coverage, computed by loops over all pairs."""

    def ball(points):
        return [sorted(math.dist(p, q) for j, q in enumerate(points) if j != i)[k - 1] for i, p in enumerate(points)]

    in_real = [[math.dist(x, y) <= r for x, r in zip(real, ball(real))] for y in fake]
    in_fake = [[math.dist(x, y) <= r for y, r in zip(fake, ball(fake))] for x in real]
    return {
        "precision": np.mean([any(row) for row in in_real]),
        "recall": np.mean([any(row) for row in in_fake]),
        "density": np.mean([sum(row) for row in in_real]) / k,
        "coverage": np.mean([any(column) for column in zip(*in_real)]),
    }


def compare(real, fake):
    return neighbours.compare(real, fake, neighbours.radii(real), neighbours.radii(fake))


def test_precision_recall_density_and_coverage_equal_their_definitions(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 1)  # so that there are many blocks
    real, fake = gaussian(40, 3), 0.7 * gaussian(30, 3, 1) + 0.4
    found, expected = compare(real, fake), by_definition(real, fake, neighbours.K)
    assert all(0.1 < expected[name] < 1.5 for name in expected)
    assert found == pytest.approx(expected)


def test_two_samples_of_one_distribution_have_the_expected_density_and_coverage():
    found = compare(gaussian(3000, 8), gaussian(3000, 8, 1))
    assert found["density"] == pytest.approx(1, abs=0.03)
    assert found["coverage"] == pytest.approx(1 - 0.5**5, abs=0.01)  # five neighbours


def test_the_nearest_image_is_the_one_that_an_exact_search_finds():
    images, among = np.random.default_rng(0).integers(0, 256, (2, 300, 4, 5, 3), dtype=np.uint8)
    images[7] = among[11]
    squares = ((images[:, None].astype(int) - among) ** 2).sum((2, 3, 4))
    where, distance = neighbours.nearest(images, among)
    assert (where == squares.argmin(1)).all() and where[7] == 11 and distance[7] == 0
    assert (distance == np.sqrt(squares.min(1))).all()


# The classes of samples


def test_the_classifier_score_equals_its_definition_and_for_clear_samples_the_number_of_classes():
    sure = 1000 * np.eye(10)[np.arange(50) % 10]  # e^1000 must not overflow
    assert labels.classifier_score(sure) == pytest.approx(10)
    assert labels.classifier_score(sure[sure.argmax(1) < 4]) == pytest.approx(4)
    assert labels.classifier_score(np.zeros((50, 10))) == pytest.approx(1)
    p = np.array([[0.9, 0.1], [0.3, 0.7]])
    assert labels.classifier_score(np.log(p)) == pytest.approx(np.exp((p * np.log(p / [0.6, 0.4])).sum(1).mean()))


def test_classes_of_samples_are_compared_with_the_training_set():
    training = np.repeat([0, 1, 3], [500, 300, 200])  # class 2 is missing
    assert labels.divergence(training, training, 4) == pytest.approx(0, abs=1e-2)
    samples = np.repeat([0, 1, 3], [600, 365, 35])
    expected = sum(p * math.log(p / q) for p, q in ((0.6, 501 / 1004), (0.365, 301 / 1004), (0.035, 201 / 1004)))
    assert labels.divergence(samples, training, 4) == pytest.approx(expected)
    assert labels.modes(training, training, 4) == 3
    for count, modes in ((39, 2), (41, 3)):  # a fifth of the 200 images of class 3 is 40
        assert labels.modes(np.repeat([0, 1, 3], [600, 400 - count, count]), training, 4) == modes
    assert (
        math.isfinite(labels.divergence(np.array([2]), training, 4)) and labels.modes(np.array([2]), training, 4) == 0
    )


# The classifier


@pytest.fixture(scope="module")
def mnist():
    """Return an Evaluator for MNIST with 1,000 test images, and with 1,000 training images as real images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluators, "REFERENCE", N)
        patch.setattr(evaluators, "PIXELWISE", 100)
        return Evaluator(n=N)


def test_the_classifier_of_the_package_has_the_hash_of_its_record_and_reads_digits(mnist):
    record = json.loads(store.SHIPPED.with_suffix(".json").read_text())
    assert record == mnist.record and record["test_images"] == 10_000
    assert hashlib.sha256(store.SHIPPED.read_bytes()).hexdigest() == record["sha256"]
    assert record["test_accuracy"] >= 0.994 and record["command"] == "python bench/classifier.py"
    features, logits = mnist.classifier.predict(mnist.test.images)
    assert features.shape == (N, 128) and features.dtype == logits.dtype == np.float64
    assert (logits.argmax(1) == mnist.test.labels).mean() >= 0.985
    assert store.SHIPPED.stat().st_size < 1_000_000


# Samples that get worse


@pytest.fixture(scope="module")
def judged(mnist):
    """Return the metrics of 1,000 real images, as if they were samples. For 300 the requested class is wrong."""
    asked = np.where(np.arange(N) < 300, (mnist.real.labels + 1) % 10, mnist.real.labels)
    return mnist.judge(mnist.real.images, asked)


def test_real_images_get_nearly_the_best_values(mnist, judged):
    assert judged["coverage"] == pytest.approx(1 - 0.5**neighbours.K, abs=0.03)
    assert judged["density"] == pytest.approx(1, abs=0.12)
    assert judged["precision"] > 0.85 and judged["recall"] > 0.85
    assert judged["modes"] == 10 and judged["label_divergence"] < 0.02
    assert judged["agreement"] == pytest.approx(0.7, abs=0.01) and judged["classifier_score"] > 9.5
    assert judged["distance"] == mnist.distance(mnist.real.images)


def test_halves_of_the_test_images_have_the_expected_density_and_coverage(mnist):
    """Test images fit the theory better than training images, because the classifier was not trained on them."""
    orders = [np.random.default_rng(seed).permutation(N) for seed in range(6)]
    found = [compare(mnist.features[order[: N // 2]], mnist.features[order[N // 2 :]]) for order in orders]
    assert np.mean([numbers["density"] for numbers in found]) == pytest.approx(1, abs=0.1)
    assert np.mean([numbers["coverage"] for numbers in found]) == pytest.approx(1 - 0.5**neighbours.K, abs=0.02)


def blurred(images):
    return (sum(np.roll(images.astype(int), s, a) for s in (-1, 1) for a in (1, 2)) // 4).astype(np.uint8)


def noisy(images, sigma):
    noise = sigma * np.random.default_rng(0).standard_normal(images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def test_the_distance_grows_with_noise_blur_and_missing_classes(mnist):
    images, kinds = mnist.real.images[:600], mnist.real.labels[:600]
    blur1 = blurred(images)
    series = {
        "noise": [noisy(images, sigma) for sigma in (0, 30, 80)],
        "blur": [images, blur1, blurred(blurred(blur1))],
        "classes": [images[kinds < most] for most in (10, 7, 3)],
    }
    for name, steps in series.items():
        distances = [mnist.distance(step) for step in steps]
        assert all(b > 1.2 * a for a, b in itertools.pairwise(distances)), f"{name}: {distances}"


def test_noise_lowers_precision_density_and_score(mnist, judged):
    worse = mnist.judge(noisy(mnist.real.images, 80))
    for metric in ("precision", "density", "classifier_score"):
        assert worse[metric] < judged[metric] - 0.1


def test_a_missing_class_lowers_coverage_recall_score_and_modes_but_not_precision(mnist, judged):
    lacking = mnist.judge(mnist.real.images[mnist.real.labels != 3])
    for metric in ("coverage", "recall"):
        assert lacking[metric] < judged[metric] - 0.05
    assert lacking["modes"] == 9 and lacking["label_divergence"] > judged["label_divergence"] + 0.05
    assert lacking["classifier_score"] < judged["classifier_score"] - 0.5
    assert lacking["precision"] > judged["precision"] - 0.02


def test_copies_of_training_images_are_detected(mnist):
    mnist.train = mnist.train._replace(images=mnist.train.images[:5000])
    assert mnist.memorisation(mnist.train.images[100:200]) == 0
    assert mnist.memorisation(mnist.test.images[500:600]) == pytest.approx(1, abs=0.15)
    assert mnist.memorisation(noisy(mnist.train.images[100:200], 5)) < 0.3
