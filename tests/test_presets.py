"""Schedules follow their curves. Options of presets can be combined.

A combination that cannot work is refused with the reason.
"""

import numpy as np
import pytest
from games import CLASSES, SHAPE, build, images, snapshot, steps

from tinygan import Tensor, backend
from tinygan.gan import conditional, models, presets
from tinygan.gan.presets import PRESETS
from tinygan.layers import Conv2d, ConvTranspose2d, Flatten, LeakyReLU, Linear, Sequential

PLAIN = dict(
    loss="bce", penalty="none", penalty_weight=0.0, saturating=False, real_label=1.0, dropout=0.0, spectral_norm=False,
    augment=0.0, n_critic=1, conditional=False, wrong_labels=0.0, latent_size=100, lr=2e-4, betas=(0.5, 0.999),
    decay=False, cosine=False, ema=2e4, batch_size=64,
)  # fmt: skip
MLP, SMALL = dict(PLAIN, latent_size=64, epochs=10), dict(PLAIN, latent_size=32, batch_size=32, lr=8e-4)
SETTINGS = {  # name: all settings; epochs in place of steps
    "vanilla": MLP,
    "lsgan": dict(MLP, loss="lsgan"),
    "dcgan": dict(SMALL, epochs=5),
    "sngan": dict(SMALL, loss="hinge", spectral_norm=True, epochs=3),
    "cgan": dict(SMALL, conditional=True, wrong_labels=0.15, decay=True, epochs=10),
    "wgan-gp": dict(
        PLAIN, loss="wasserstein", penalty="gp", penalty_weight=10.0, n_critic=5, betas=(0.5, 0.9), epochs=6
    ),
    "r3gan": dict(
        PLAIN, loss="relativistic", penalty="r1r2", penalty_weight=1.0, lr=1e-3, betas=(0.0, 0.9), cosine=True, epochs=3
    ),
}
NETWORKS = {  # name: (weights of G and D, initial weights of each of their layers, slopes of their activations)
    # initial weights: n for normal, h for he_normal
    "vanilla": ((283920, 267009), ("hhh", "nnn"), ({0.0}, {0.2})),
    "lsgan": ((283920, 267009), ("hhh", "nnn"), ({0.0}, {0.2})),
    "dcgan": ((133825, 36577), ("nnn", "nnn"), ({0.0}, {0.2})),
    "sngan": ((133825, 53601), ("nnn", "hhhhh"), ({0.0}, {0.2})),
    "cgan": ((202177, 115681), ("nnnn", "nnnnn"), ({0.0}, {0.2})),
    "wgan-gp": ((347073, 36513), ("nnn", "nnn"), ({0.0}, {0.2})),
    "r3gan": ((350049, 36513), ("hhn", "hhh"), ({0.2}, {0.2})),
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_the_settings_with_which_the_readme_measured_it(name):
    p = PRESETS[name]._asdict()
    del p["generator"], p["discriminator"]
    epochs = p.pop("steps") / (60_000 // p["batch_size"] // p["n_critic"])  # MNIST has 60,000 images
    assert {**p, "epochs": epochs} == SETTINGS[name]


def kind_of_initial_weights(layer):
    """Return "n" for normal, "h" for he_normal, or the standard deviation if it is that of neither."""
    fan_in = layer.weight.size / getattr(layer, "n_out", layer.weight.shape[-1])
    fan_in /= np.prod(layer.stride) if isinstance(layer, ConvTranspose2d) else 1
    spread = layer.weight.numpy().std()
    fits = {"n": 0.02, "h": (2 / fan_in) ** 0.5}
    return next((kind for kind, expected in fits.items() if abs(spread / expected - 1) < 0.15), str(spread))


@pytest.mark.parametrize("name", PRESETS)
def test_the_networks_of_a_preset_are_those_that_the_readme_measured(name):
    gan = presets.build(PRESETS[name], (28, 28, 1), 0, classes=10).gan
    sizes, initial, slopes = NETWORKS[name]
    networks = gan.G, gan.D
    assert tuple(sum(p.size for p in network.parameters()) for network in networks) == sizes
    for network, kinds, slope in zip(networks, initial, slopes):
        layers = list(network.modules())
        assert "".join(kind_of_initial_weights(layer) for layer in layers if hasattr(layer, "weight")) == kinds
        assert {layer.slope for layer in layers if hasattr(layer, "slope")} == slope


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_for_points_has_the_settings_of_the_toy_worlds(name):
    p, images = presets.for_data(PRESETS[name], (2,)), PRESETS[name]
    assert (p.latent_size, p.batch_size, p.steps, p.ema) == (8, 128, 8000, 0.0)
    assert p.betas == (images.betas[0], 0.99) and p.lr == (3e-3 if name == "r3gan" else 2e-3)
    assert p.penalty_weight == {"wgan-gp": 10.0, "r3gan": 0.1}.get(name, 0.0)
    assert presets.for_data(images, (28, 28, 1)) == images


def test_the_schedules_of_r3gan_follow_a_cosine(monkeypatch):
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


def test_decay_brings_the_learning_rate_of_both_networks_to_zero():
    training = build("cgan", steps=4, lr=0.8)
    found = []
    for _ in range(5):
        steps(training)
        found.append([float(optimizer.lr[0]) for optimizer in (training.G_optimizer, training.D_optimizer)])
    assert found == pytest.approx(np.repeat([[0.8], [0.6], [0.4], [0.2], [0.2]], 2, 1))


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
    (dict(name="dcgan", wrong_labels=0.5), "needs a preset with labels"),
    (dict(name="cgan", loss="hinge"), "wrong_labels exists only for the loss bce"),
    (dict(name="wgan-gp", real_label=0.9), "loss wasserstein has no target"),
    (dict(name="r3gan", decay=True), "two schedules of the learning rate"),
    (dict(name="lsgan", saturating=True), "not for lsgan"),
]


@pytest.mark.parametrize("what, reason", NONSENSE)
def test_combinations_that_cannot_work_are_refused_with_the_reason(what, reason):
    with pytest.raises(ValueError, match=reason):
        build(**what)


def test_any_network_can_be_conditional(rng):
    D = conditional.Conditional(models.mlp_discriminator((8, 8, 3), rng))  # of 3 channels, 2 are labels
    labels = Tensor(backend.xp.eye(2, dtype="float32"))
    assert D(Tensor(rng.normal((2, 8, 8, 1))), labels).shape == (2, 1)


def test_a_conditional_network_is_its_layers_on_images_with_a_channel_for_each_class(rng):
    network = Sequential(Conv2d(3, 4, 3, rng), LeakyReLU(0.2), Flatten(), Linear(36 * 4, 1, rng))
    x, labels = Tensor(rng.normal((2, 8, 8, 1))), Tensor(backend.xp.eye(2, dtype="float32"))
    found = conditional.Conditional(network)(x, labels).numpy()
    np.testing.assert_allclose(found, network(conditional.append_labels(x, labels)).numpy(), rtol=1e-5)


def test_d_learns_that_a_real_image_with_a_wrong_label_is_fake():
    gan = build("cgan", wrong_labels=0.5).gan
    gan.D = lambda x, labels: labels @ Tensor([[-1.0], [2.0], [2.0]])  # the logit of every wrong label is 2
    labels = Tensor(backend.xp.eye(3, dtype="float32").take(backend.xp.zeros(4, "int64"), axis=0))
    loss = gan.discriminator_loss(Tensor(images(4)), Tensor(images(4)), labels).loss.item()
    assert loss == pytest.approx(np.log1p(np.exp([1.0, -1.0])).sum() + 0.5 * np.log1p(np.exp(2.0)), rel=1e-5)


def test_wrong_labels_are_drawn_from_all_other_classes_and_their_loss_is_weighted():
    losses = {}
    for weight in (0.0, 1.0, 2.0):
        gan = build("cgan", wrong_labels=weight).gan
        labels = Tensor(backend.xp.eye(3, dtype="float32").take(backend.xp.arange(600) % 3, axis=0))
        if weight:
            wrong = backend.to_host(gan.wrong(labels).data)
            assert (wrong.sum(1) == 1).all() and not (wrong * labels.numpy()).any()
            pairs = 3 * labels.numpy().argmax(1) + wrong.argmax(1)
            assert np.bincount(pairs)[[1, 2, 3, 5, 6, 7]].min() > 70  # 100 on average
        gan.rng = backend.RNG(1)
        losses[weight] = gan.discriminator_loss(Tensor(images(6)), Tensor(-images(6)), labels[:6]).loss.item()
    assert losses[2.0] - losses[1.0] == pytest.approx(losses[1.0] - losses[0.0], rel=1e-4) and losses[1.0] > losses[0.0]


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
def test_options_of_presets_can_be_combined(parts):
    training = steps(build("vanilla", **parts), 2)
    assert all(np.isfinite(array).all() for array in snapshot(training).values())


def test_a_schedule_of_a_billion_steps_needs_no_memory_and_ends_as_a_short_one():
    for name, last in (("cgan", 8e-4 * 1e-3), ("r3gan", 1e-3 / 4)):
        training = build(name, steps=10**9)
        training.steps[...] = 10**9 - 10**6
        steps(training)
        assert float(training.G_optimizer.lr[0]) == pytest.approx(last, rel=1e-4)
