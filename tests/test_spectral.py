"""Spectral normalisation, the average of G's weights, the schedules, and presets that make no sense."""

import numpy as np
import pytest
from test_gan import CLASSES, SHAPE, build, images, snapshot, steps

from tinygan import Tensor, backend, check_grads
from tinygan.gan import models, presets
from tinygan.gan.ema import EMA, update_bn_statistics
from tinygan.gan.presets import PRESETS
from tinygan.layers import BatchNorm, Linear, Sequential, power_iteration, spectral_norm
from tinygan.layers.spectral import SpectralNorm


@pytest.mark.parametrize("shape", [(6, 4), (3, 3, 2, 5), (7, 1)])
def test_power_iteration_finds_the_largest_singular_value(shape, rng):
    weight = Tensor(rng.normal(shape))
    norm = SpectralNorm(weight, rng)
    for _ in range(200):
        norm.iterate(weight)
    largest = np.linalg.svd(weight.numpy().reshape(-1, shape[-1]), compute_uv=False)[0]
    np.testing.assert_allclose(norm(weight).numpy() * largest, weight.numpy(), rtol=1e-4)


@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 1, 3)])
def test_its_derivative_holds_the_singular_vectors_constant(shape, rng):
    norm = SpectralNorm(Tensor(rng.normal(shape)), rng)
    norm.u, norm.v = norm.u.astype("float64"), norm.v.astype("float64")
    check_grads(norm, [np.random.default_rng(0).standard_normal(shape)], order=2)


def test_every_pass_of_a_step_sees_the_same_vectors_and_one_round_moves_them(monkeypatch):
    training = build("sngan")
    rounds, seen = [], set()
    iterate, forward = SpectralNorm.iterate, SpectralNorm.forward
    monkeypatch.setattr(SpectralNorm, "iterate", lambda self, w: (rounds.append(id(self)), iterate(self, w))[1])
    monkeypatch.setattr(
        SpectralNorm,
        "forward",
        lambda self, w: (seen.add((id(self), backend.to_host(self.u).tobytes())), forward(self, w))[1],
    )
    steps(training)
    normalised = [layer for layer in training.gan.D.modules() if isinstance(layer, SpectralNorm)]
    assert sorted(rounds) == sorted(map(id, normalised)) and len(seen) == len(normalised) == 5


def test_a_normalised_network_has_a_gradient_of_one_at_most(rng):
    D = spectral_norm(Sequential(Linear(5, 8, rng), Linear(8, 1, rng)), rng)
    for _ in range(100):
        power_iteration(D)
    x, y = rng.normal((50, 5)), rng.normal((50, 5))
    rise = abs(D(Tensor(x)).numpy() - D(Tensor(y)).numpy())[:, 0]
    run = np.linalg.norm(backend.to_host(x - y), axis=1)
    assert (rise <= run * 1.001).all() and D.layers[0].weight.numpy().std() == pytest.approx(0.02, rel=0.5)


def test_the_average_follows_the_weights_with_its_half_life(rng):
    network, average = Linear(2, 1, rng).flatten(), Linear(2, 1, rng)
    ema = EMA(network, average, half_life=100, images_per_step=50)
    ema.images[...] = 1e6  # the ramp is over
    network.flat.data[...] = 0.0
    average.flat.data[...] = 1.0
    for expected in (0.5**0.5, 0.5, 0.5**1.5):
        ema.update()
        np.testing.assert_allclose(average.weight.numpy(), expected, rtol=1e-5)


def test_the_average_forgets_the_first_weights_quickly(rng):
    network, average = Linear(2, 1, rng).flatten(), Linear(2, 1, rng)
    ema = EMA(network, average, half_life=1e6, images_per_step=64)
    network.flat.data[...] = 1.0
    for _ in range(5):
        ema.update()
    assert abs(average.weight.numpy() - 1).max() < 1e-3


def test_reestimated_statistics_are_the_means_over_the_batches(rng):
    layer = BatchNorm(2)
    batches = [rng.normal((50, 2)) + i for i in range(4)]
    update_bn_statistics(Sequential(layer), [(Tensor(b),) for b in batches])
    means = np.mean([backend.to_host(b).mean(0) for b in batches], axis=0)
    variances = np.mean([backend.to_host(b).var(0, ddof=1) for b in batches], axis=0)
    np.testing.assert_allclose(backend.to_host(layer.running_mean), means, rtol=1e-4)
    np.testing.assert_allclose(backend.to_host(layer.running_var), variances, rtol=1e-4)
    assert layer.momentum == 0.1


def test_r3gan_falls_on_a_cosine(monkeypatch):
    training = build("r3gan", steps=4)
    values = []
    for _ in range(6):
        steps(training)
        values.append([float(x[0]) for x in (
            training.G_optimizer.lr, training.D_optimizer.lr, training.gan.penalty_weight,
            training.D_optimizer.one_minus_beta2,
        )])  # fmt: skip
    lr, D_lr, weight, forget = np.array(values).T
    start = PRESETS["r3gan"]
    cosine = 0.5 * (1 + np.cos(np.pi * np.array([0, 1, 2, 3, 3, 3]) / 4))
    np.testing.assert_allclose(lr, start.lr * (0.25 + 0.75 * cosine), rtol=1e-5)
    np.testing.assert_allclose(weight, start.penalty_weight * (0.1 + 0.9 * cosine), rtol=1e-5)
    np.testing.assert_allclose(forget, 0.01 + 0.09 * cosine, rtol=1e-5)
    assert (lr == D_lr).all()


def test_conditional_networks_depend_on_the_class():
    training = build("cgan")
    latent = backend.RNG(0).normal((2, training.gan.latent_size))
    a, b = (backend.to_host(training.sample(latent, backend.to_device(np.array(c)))) for c in ([0, 0], [1, 1]))
    assert (a != b).any()
    x, zero, one = Tensor(images(1)), *(Tensor(backend.xp.eye(CLASSES, dtype="float32")[c : c + 1]) for c in (0, 1))
    training.gan.D.eval()
    assert (training.gan.D(x, zero).numpy() != training.gan.D(x, one).numpy()).any()


NONSENSE = [
    (dict(name="dcgan", penalty="gp", penalty_weight=10.0), "with BatchNorm the output of D for"),
    (dict(name="cgan", penalty="r1"), "with BatchNorm the output of D for"),
    (dict(name="dcgan", spectral_norm=True), "BatchNorm scales it up again"),
    (dict(name="wgan-gp", real_label=0.9), "loss wasserstein has no target"),
    (dict(name="lsgan", saturating=True), "not to loss lsgan"),
]


@pytest.mark.parametrize("what, reason", NONSENSE)
def test_parts_that_make_no_sense_together_are_refused_with_the_reason(what, reason):
    with pytest.raises(ValueError, match=reason):
        build(**what)


def test_any_network_can_be_conditional(rng):
    D = models.Conditional(models.mlp_discriminator((8, 8, 3), rng))  # one channel, and one for each of two classes
    labels = Tensor(backend.xp.eye(2, dtype="float32"))
    assert D(Tensor(rng.normal((2, 8, 8, 1))), labels).shape == (2, 1)


def test_a_conditional_preset_needs_labels():
    with pytest.raises(ValueError, match="no labels"):
        presets.build(PRESETS["cgan"], SHAPE, 0, classes=0)


PARTS = [
    dict(loss="hinge", dropout=0.2, ema=1000.0),
    dict(loss="relativistic", penalty="r1r2", penalty_weight=0.5, n_critic=2),
    dict(loss="wasserstein", spectral_norm=True, latent_size=7),
    dict(saturating=True, real_label=0.9),
    dict(penalty="r1", penalty_weight=1.0, spectral_norm=True, dropout=0.1, cosine=True),
]


@pytest.mark.parametrize("parts", PARTS, ids=str)
def test_parts_compose(parts):
    training = steps(build("vanilla", **parts), 2)
    assert all(np.isfinite(array).all() for array in snapshot(training).values())
