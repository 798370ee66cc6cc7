"""Schedules follow their curves. Options of presets can be combined.

A combination that cannot work is refused with the reason.
"""

import numpy as np
import pytest
from games import CLASSES, SHAPE, build, images, snapshot, steps

from tinygan import Tensor, backend
from tinygan.gan import conditional, models, presets
from tinygan.gan.presets import PRESETS


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


@pytest.mark.parametrize("name", ["cgan", "r3gan"])
def test_a_schedule_for_a_billion_steps_is_a_small_table(name):
    training = build(name, steps=10**9)
    target, table, every = training.scheduled[0], training.schedule[:, 0], training.steps_per_value
    assert len(table) == presets.LONGEST and every * len(table) == 10**9
    for step in (0, every - 1, every, 10**9):
        training.steps[...] = step
        steps(training)
        assert float(target[0]) == float(table[min(step // every, len(table) - 1)])
    assert build(name, steps=500).steps_per_value == 1
