"""Each loss against its formula, in probabilities and in float64."""

import numpy as np
import pytest

from tinygan import Tensor, backend, check_grads, losses

REAL = np.array([[2.0], [-0.5], [0.3], [4.0]])
FAKE = np.array([[-1.0], [0.7], [-3.0], [0.1]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


EXPECTED = {  # name: (discriminator, generator), as the papers write them
    "bce": (
        -np.log(sigmoid(REAL)).mean() - np.log(1 - sigmoid(FAKE)).mean(),
        -np.log(sigmoid(FAKE)).mean(),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_values_are_the_papers(name):
    real, fake = (Tensor(backend.to_device(logits)) for logits in (REAL, FAKE))
    loss = getattr(losses, name)
    assert loss.discriminator(real, fake).item() == pytest.approx(EXPECTED[name][0], rel=1e-12)
    assert loss.generator(real, fake).item() == pytest.approx(EXPECTED[name][1], rel=1e-12)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("side", ["discriminator", "generator"])
def test_the_derivatives_are_the_slopes(name, side):
    check_grads(getattr(getattr(losses, name), side), [REAL, FAKE])


def test_logits_far_out_stay_finite_and_keep_their_gradient():
    real, fake = Tensor([[-200.0]]), Tensor([[200.0]])
    assert losses.bce.discriminator(real, fake).item() == pytest.approx(400)
    assert losses.bce.generator(real, Tensor([[-200.0]])).item() == pytest.approx(200)
