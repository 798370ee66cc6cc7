"""Each loss and penalty equals the formula of its paper. Gradients of losses equal those derived by hand."""

import numpy as np
import pytest

from tinygan import Tensor, backend, check_grads, grad
from tinygan.gan.losses import LOSSES, bce_generator_saturating
from tinygan.gan.penalties import PENALTIES
from tinygan.layers import Conv2d, Flatten, LeakyReLU, Linear, Sequential

REAL = np.array([[2.0], [-0.5], [0.3], [4.0]])
FAKE = np.array([[-1.2], [0.7], [-3.0], [0.1]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


EXPECTED = {  # name: (D's loss, G's loss), as in the papers
    "bce": (-np.log(sigmoid(REAL)).mean() - np.log(1 - sigmoid(FAKE)).mean(), -np.log(sigmoid(FAKE)).mean()),
    "lsgan": (((REAL - 1) ** 2).mean() / 2 + (FAKE**2).mean() / 2, ((FAKE - 1) ** 2).mean() / 2),
    "hinge": (-np.minimum(0, REAL - 1).mean() - np.minimum(0, -1 - FAKE).mean(), -FAKE.mean()),
    "wasserstein": (FAKE.mean() - REAL.mean(), -FAKE.mean()),
    "relativistic": (-np.log(sigmoid(REAL - FAKE)).mean(), -np.log(sigmoid(FAKE - REAL)).mean()),
}
# name: N times the derivatives of (D's loss by real logits, D's loss by fake logits, G's loss by fake logits)
GRADIENTS = {
    "bce": (-sigmoid(-REAL), sigmoid(FAKE), -sigmoid(-FAKE)),
    "lsgan": (REAL - 1, FAKE, FAKE - 1),
    "hinge": (-(REAL < 1.0).astype(float), (FAKE > -1.0).astype(float), -np.ones_like(FAKE)),
    "wasserstein": (-np.ones_like(REAL), np.ones_like(FAKE), -np.ones_like(FAKE)),
    "relativistic": (-sigmoid(FAKE - REAL), sigmoid(FAKE - REAL), -sigmoid(REAL - FAKE)),
}


def logits():
    return [Tensor(backend.to_device(x), requires_grad=True) for x in (REAL, FAKE)]


@pytest.mark.parametrize("name", LOSSES)
def test_losses_have_the_values_of_their_papers(name):
    assert LOSSES[name].discriminator(*logits()).item() == pytest.approx(EXPECTED[name][0], rel=1e-12)
    assert LOSSES[name].generator(*logits()).item() == pytest.approx(EXPECTED[name][1], rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_losses_equal_those_derived_by_hand(name):
    real, fake = logits()
    computed = grad(LOSSES[name].discriminator(real, fake), [real, fake]) + grad(
        LOSSES[name].generator(real, fake), [fake]
    )
    for gradient, expected in zip(computed, GRADIENTS[name]):
        np.testing.assert_allclose(gradient.numpy() * len(REAL), expected, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("side", ["discriminator", "generator"])
def test_the_derivatives_match_finite_differences(name, side):
    check_grads(getattr(LOSSES[name], side), [REAL, FAKE])


def test_label_smoothing_is_one_sided():
    """D's target for real images is 0.9: their loss is 0.9 times the cross-entropy with "real", plus 0.1 times the
    cross-entropy with "fake". D's target for fake images stays 0."""
    smooth = LOSSES["bce"].discriminator(*logits(), real_label=0.9).item()
    by_hand = -(0.9 * np.log(sigmoid(REAL)) + 0.1 * np.log(1 - sigmoid(REAL))).mean() - np.log(1 - sigmoid(FAKE)).mean()
    assert smooth == pytest.approx(by_hand, rel=1e-12)
    smooth = LOSSES["lsgan"].discriminator(*logits(), real_label=0.9).item()
    assert smooth == pytest.approx(((REAL - 0.9) ** 2).mean() / 2 + (FAKE**2).mean() / 2, rel=1e-12)


def test_the_saturating_loss_is_right_and_its_gradient_vanishes_where_d_is_sure():
    assert bce_generator_saturating(*logits()).item() == pytest.approx(np.log(1 - sigmoid(FAKE)).mean(), rel=1e-12)
    sure = Tensor(backend.to_device(np.full((1, 1), -10.0)), requires_grad=True)
    (flat,), (steep,) = (
        grad(bce_generator_saturating(None, sure), [sure]),
        grad(LOSSES["bce"].generator(None, sure), [sure]),
    )
    assert abs(flat.item()) < 1e-4 and abs(steep.item()) > 0.99


def test_large_logits_give_finite_losses():
    real, fake = Tensor([[-200.0]]), Tensor([[200.0]])
    assert LOSSES["bce"].discriminator(real, fake).item() == pytest.approx(400)
    assert LOSSES["bce"].generator(real, Tensor([[-200.0]])).item() == pytest.approx(200)


# penalties


def batch(*shape, seed=0):
    return backend.to_device(np.random.default_rng(seed).standard_normal(shape))


def penalty_of(name, D, real, fake, seed=0):
    real, fake = Tensor(real, requires_grad=True), Tensor(fake, requires_grad=True)
    return PENALTIES[name].function(D, real, fake, D(real), D(fake), backend.RNG(seed))


@pytest.mark.parametrize("norm", [0.5, 1.0, 3.0])
def test_penalties_of_a_linear_critic_have_a_closed_form(norm):
    """D(x) = <w, x> has the gradient w at every image."""
    w = np.random.default_rng(1).standard_normal((12, 1))
    w *= norm / np.linalg.norm(w)

    def D(x):
        return x.reshape(len(x), 12) @ Tensor(backend.to_device(w))

    real, fake = batch(4, 2, 3, 2), batch(4, 2, 3, 2, seed=1)
    assert penalty_of("gp", D, real, fake).item() == pytest.approx((norm - 1) ** 2, abs=1e-10)
    assert penalty_of("r1", D, real, fake).item() == pytest.approx(norm**2 / 2)
    assert penalty_of("r1r2", D, real, fake).item() == pytest.approx(norm**2)


def test_penalties_of_a_quadratic_critic_equal_the_formula():
    """D(x) = |x|^2 / 2 has the gradient x. The norm is over all axes of an image, and the mean is over the images."""

    def D(x):
        return (x * x).sum((1, 2, 3)).reshape(len(x), 1) * 0.5

    real, fake = batch(4, 2, 3, 1), batch(4, 2, 3, 1, seed=1)
    squares = [(backend.to_host(x) ** 2).sum((1, 2, 3)) for x in (real, fake)]
    assert penalty_of("r1", D, real, fake).item() == pytest.approx(squares[0].mean() / 2)
    assert penalty_of("r1r2", D, real, fake).item() == pytest.approx((squares[0].mean() + squares[1].mean()) / 2)
    t = backend.to_host(backend.RNG(0).uniform((4, 1, 1, 1), "float64"))
    between = backend.to_host(fake) + t * (backend.to_host(real) - backend.to_host(fake))
    norms = np.sqrt((between**2).sum((1, 2, 3)) + 1e-12)
    assert penalty_of("gp", D, real, fake).item() == pytest.approx(((norms - 1) ** 2).mean())


def test_the_gradient_penalty_has_the_weight_of_its_paper_and_the_others_have_one():
    assert {name: penalty.weight for name, penalty in PENALTIES.items()} == {"gp": 10.0, "r1": 1.0, "r1r2": 1.0}


def test_penalties_are_differentiable_where_the_gradient_is_zero():
    w = Tensor(backend.xp.zeros((3, 1)), requires_grad=True)
    loss = penalty_of("gp", lambda x: x @ w, batch(2, 3), batch(2, 3, seed=1))
    assert np.isfinite(grad(loss, [w])[0].numpy()).all()


@pytest.mark.parametrize("name", PENALTIES)
def test_the_gradient_of_a_penalty_of_a_whole_discriminator_matches_finite_differences(name):
    """The gradient with respect to D's weights is a second derivative through convolution, leaky ReLU and Linear."""
    g = backend.RNG(0)
    D = Sequential(
        Conv2d(1, 2, 3, g, stride=2), LeakyReLU(), Conv2d(2, 2, 2, g), LeakyReLU(), Flatten(), Linear(2, 1, g)
    )
    D.flatten("float64")
    real, fake = batch(3, 5, 5, 1), batch(3, 5, 5, 1, seed=1)
    layers = [layer for layer in D.layers if hasattr(layer, "weight")]

    def function(*weights):
        for layer, weight in zip(layers, weights):
            layer.weight = weight
        return penalty_of(name, D, real, fake)

    weights = [np.random.default_rng(i).standard_normal(layer.weight.shape) for i, layer in enumerate(layers)]
    check_grads(function, weights, order=2 if name == "r1" else 1)


def test_a_logit_means_what_the_paper_of_its_loss_says():
    assert {name for name, loss in LOSSES.items() if loss.probability} == {"bce"}
    assert {name for name, loss in LOSSES.items() if loss.relativistic} == {"relativistic"}
    assert {name for name, loss in LOSSES.items() if loss.supports_label_smoothing} == {"bce", "lsgan"}
    thresholds = {"bce": 0.0, "lsgan": 0.5, "hinge": 0.0, "wasserstein": None, "relativistic": None}
    assert {name: loss.threshold for name, loss in LOSSES.items()} == thresholds


def test_every_loss_is_in_both_tables():
    assert LOSSES.keys() == EXPECTED.keys() == GRADIENTS.keys()
