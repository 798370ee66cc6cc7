"""The metrics of a step are right, and failures cause warnings. Points of toy worlds are rated correctly."""

from types import SimpleNamespace

import numpy as np
import pytest
from games import SameBatch, build, steps

from tinygan import Tensor, backend, data
from tinygan.app import worlds
from tinygan.autograd import PRIMITIVES
from tinygan.data import toy
from tinygan.gan.health import (
    METRICS,
    RECENT,
    FailureMonitor,
    NotFinite,
    detect_anomaly,
    measure,
    pairwise_distance,
    thresholds,
)
from tinygan.gan.losses import LOSSES
from tinygan.layers import Module

HEALTHY = {**dict.fromkeys(METRICS, 0.5), "pairwise_distance": 10.0, "g_gradient": 1.0}


def warnings_of(loss, *changes):
    """Return the warnings for a log: five healthy rows, then RECENT rows with each of the changes."""
    monitor, sentences = FailureMonitor(LOSSES[loss]), []
    for change in ({}, *changes):
        for _ in range(RECENT if change else 5):
            sentences += monitor.update([{**HEALTHY, **change}[metric] for metric in METRICS])
    return sentences


WON = dict(accuracy_real=1.0, accuracy_fake=0.999, g_gradient=0.001)


def test_a_healthy_run_gets_no_warning():
    assert warnings_of("bce", dict(d_loss=0.6)) == []
    monitor = FailureMonitor(LOSSES["bce"])  # it gets too few rows for a warning
    assert not any(monitor.update([{**HEALTHY, **WON}[metric] for metric in METRICS]) for _ in range(RECENT - 1))


def test_a_discriminator_that_has_won_causes_one_warning_and_none_with_the_wasserstein_loss():
    (message,) = warnings_of("bce", WON, WON)
    assert message.startswith("D has won")
    assert warnings_of("wasserstein", WON) == warnings_of("bce", {**WON, "g_gradient": 1.0}) == []


def test_a_collapse_causes_a_warning():
    (message,) = warnings_of("bce", dict(pairwise_distance=1.0))
    assert message.startswith("G is collapsing")


EDGES = [  # a change of a healthy row, and whether it causes a warning
    (dict(WON, accuracy_real=0.981, accuracy_fake=0.981), True),
    (dict(WON, accuracy_real=0.979), False),
    (dict(WON, accuracy_fake=0.979), False),
    (dict(WON, g_gradient=0.049), True),
    (dict(WON, g_gradient=0.051), False),
    (dict(pairwise_distance=2.95), True),
    (dict(pairwise_distance=3.05), False),
]


@pytest.mark.parametrize("change, warned", EDGES, ids=str)
def test_a_warning_comes_at_its_threshold(change, warned):
    assert bool(warnings_of("bce", change)) == warned


def test_the_first_warning_comes_after_20_rows():
    monitor, rows = FailureMonitor(LOSSES["bce"]), [HEALTHY, *[dict(HEALTHY, pairwise_distance=0.0)] * 19]
    assert [len(monitor.update([row[metric] for metric in METRICS])) for row in rows] == [0] * 19 + [1]


def test_accuracy_uses_the_threshold_of_the_loss_or_else_mean_logits():
    real, fake = (backend.to_device(np.array(x)) for x in ([2.0, 0.4, -1.0, 3.0], [0.6, -1.0, -2.0, 0.2]))

    def shares(name):
        over_real, over_fake = thresholds(LOSSES[name], real, fake)
        return [float((real > over_real).mean()), float((fake < over_fake).mean())]

    assert shares("bce") == [0.75, 0.5]
    assert shares("lsgan") == [0.5, 0.75]
    assert shares("wasserstein") == [0.75, 1.0]  # real > -0.55, the mean of fake; fake < 1.1, the mean of real


def test_the_pairwise_distance_is_the_root_mean_square_distance_of_pairs():
    x = np.random.default_rng(0).standard_normal((6, 2, 3, 1))
    squares = [((a - b) ** 2).sum() for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    assert float(pairwise_distance(backend.to_device(x))) == pytest.approx(np.mean(squares) ** 0.5)


@pytest.mark.parametrize("name", ["vanilla", "wgan-gp"])
def test_the_metrics_of_a_step_equal_numpys(name):
    """bce logs probabilities. wgan-gp logs logits and a penalty, and its accuracies need no threshold."""
    training = build(name)
    optimizers = training.G_optimizer, training.D_optimizer
    D_phase, G_phase = training.gan.step(SameBatch(training), *optimizers)
    row = [x.item() for x in measure(training.gan.loss, G_phase, D_phase, *optimizers)]
    logits = [x.numpy().astype("float64") for x in (D_phase.real_logits, D_phase.fake_logits, G_phase.fake_logits)]
    outputs = [1 / (1 + np.exp(-x)) if name == "vanilla" else x for x in logits]
    above, below = (0.0, 0.0) if name == "vanilla" else (logits[1].mean(), logits[0].mean())
    accuracies = (logits[0] > above).mean(), (logits[1] < below).mean()
    norms = [np.linalg.norm(backend.to_host(optimizer.gradient)) for optimizer in optimizers[::-1]]
    x = D_phase.fake.numpy()
    squares = [((a - b) ** 2).sum() for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    penalty = 0.0 if D_phase.penalty is None else D_phase.penalty.item()
    expected = [D_phase.loss.item(), G_phase.loss.item(), *(x.mean() for x in outputs), *accuracies, *norms, penalty]
    assert (penalty > 0) == (name == "wgan-gp")
    np.testing.assert_allclose(row, [*expected, np.mean(squares) ** 0.5], rtol=1e-4)


def test_the_first_primitive_with_a_result_that_is_not_finite_is_named():
    training = build("vanilla")
    forwards = {name: primitive.forward for name, primitive in PRIMITIVES.items()}
    with detect_anomaly():
        steps(training)  # no error, because all results are finite
    training.gan.G.layers[0].bias.data[0] = float("nan")
    with pytest.raises(NotFinite, match="bias_leaky_relu of"), detect_anomaly():
        steps(training)
    assert {name: primitive.forward for name, primitive in PRIMITIVES.items()} == forwards


@pytest.mark.parametrize("world, modes", [("ring", 8), ("grid", 25), ("spiral", 40)])
def test_real_points_cover_all_modes_and_one_mode_counts_as_one(world, modes):
    points = data.load(world).images
    assert points.dtype == np.float32 and abs(points).max() < 2.75
    covered, all_modes, good = toy.judge(world, points[:2500])
    assert covered == all_modes == modes and good > 0.97
    centres = toy.centres(world)
    one = np.repeat(centres[:1], 1000, axis=0)
    assert toy.judge(world, one)[0] == 1
    assert toy.judge(world, one + 20)[0] == 0 and toy.judge(world, one + 20)[2] == 0


def test_a_mode_is_covered_by_a_fifth_of_its_share_and_a_sample_is_good_within_three_sigma():
    c = toy.centres("ring")
    assert toy.judge("ring", np.repeat(c[:3], [761, 20, 19], axis=0)) == (2, 8, 1.0)
    assert toy.judge("ring", c[0] + [[0.149, 0], [0, -0.151]])[2] == 0.5


def test_the_modes_of_the_grid_are_an_even_lattice_of_gaussians_of_standard_deviation_0_05():
    points, c = data.load("grid").images, toy.centres("grid")
    assert sorted(map(tuple, c)) == [(x, y) for x in (-2, -1, 0, 1, 2) for y in (-2, -1, 0, 1, 2)]
    assert (points - np.rint(points)).std() == pytest.approx(0.05, rel=0.02)
    np.testing.assert_allclose(np.linalg.norm(toy.centres("ring"), axis=1), 2)


class Height(Module):
    """D(x, y) = y, in evaluation mode"""

    def forward(self, points):
        assert not self.training
        return points @ Tensor([[0.0], [1.0]])


def test_the_picture_of_a_toy_world_shows_ds_output_with_a_row_for_each_y():
    D = Height()
    rows = worlds.surface(SimpleNamespace(D=D))
    assert (np.diff(rows, axis=0) > 0).all() and (rows == rows[:, :1]).all()
    assert D.training and rows.shape == (worlds.SIDE, worlds.SIDE)


@pytest.mark.parametrize("name", ["vanilla", "r3gan"])
def test_arrows_in_a_toy_world_point_to_a_lower_loss_of_g(name):
    gan, points = build(name, (2,), dropout=0.5).gan, data.load("ring").images
    real, fake = points[:40], 0.5 * points[40:60]
    arrows = worlds.pull(gan, real, fake)
    assert all(module.training for module in gan.D.modules())
    gan.D.eval()
    real_logits, before, after = (gan.D(Tensor(backend.to_device(x))) for x in (real[:20], fake, fake + 0.1 * arrows))
    assert gan.loss.generator(real_logits, after).item() < gan.loss.generator(real_logits, before).item()
    with pytest.raises(ValueError, match="wants"):
        worlds.pull(gan, real, fake[:, :1])
    assert gan.D.training


@pytest.mark.parametrize("world", toy.WORLDS)
def test_a_batch_of_a_toy_world_has_float32_points(world):
    batches = data.Batches(data.load(world), 16, 0)
    batches.start_epoch(0)
    (points,) = batches.next()
    assert points.shape == (16, 2) and points.dtype == "float32"
