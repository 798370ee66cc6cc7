"""Layers in a row equal one layer after the other. Labels are constant channels, and their convolution is exact."""

import numpy as np
import pytest

from tinygan import Tensor, check_grads, grad, layers
from tinygan.gan import conditional
from tinygan.layers import BatchNorm, Conv2d, ConvTranspose2d, Flatten, LeakyReLU, Linear, ReLU, Sequential, Tanh


@pytest.mark.parametrize("size", [(), (2, 3)])
def test_labels_are_appended_as_constant_channels(size, rng):
    x, labels = Tensor(rng.normal((4, *size, 2), "float64")), Tensor(rng.normal((4, 3), "float64"))
    y = conditional.append_labels(x, labels).numpy()
    assert (y[..., :2] == x.numpy()).all()
    for place in np.ndindex(*size):
        assert (y[(slice(None), *place, slice(2, None))] == labels.numpy()).all()
    check_grads(conditional.append_labels, [x.numpy(), labels.numpy()])


@pytest.mark.parametrize("spectral", [False, True])
def test_label_conv2d_is_the_convolution_of_images_with_constant_channels(spectral, rng):
    layer = Conv2d(5, 4, 3, rng, stride=2, padding=1)
    if spectral:
        layers.spectral_norm(layer, rng)
    layer.flatten("float64").bias.data[...] = rng.normal((4,), "float64")
    x, labels = Tensor(rng.normal((6, 7, 8, 2), "float64")), Tensor(rng.normal((6, 3), "float64"))
    expected = layer(conditional.append_labels(x, labels)).numpy()
    np.testing.assert_allclose(conditional.label_conv2d(layer, x, labels).numpy(), expected, rtol=1e-12, atol=1e-12)
    check_grads(lambda x, labels: conditional.label_conv2d(layer, x, labels), [x.numpy(), labels.numpy()])
    with pytest.raises(ValueError, match="wants 5 channels; got 2 and 2 classes"):
        conditional.label_conv2d(layer, x, labels[:, :2])


@pytest.mark.parametrize("slope", [0.0, 0.2])
@pytest.mark.parametrize("bias", [False, True])
def test_a_layer_and_its_activation_are_computed_together_with_the_same_result(bias, slope, rng):
    """A Sequential joins them; a Tanh or a Reshape between them, and an activation at the beginning, are not joined."""
    conv, up = Conv2d(2, 3, 3, rng, bias=bias), ConvTranspose2d(3, 2, 4, rng, stride=2, padding=1, bias=bias)
    norm, linear = BatchNorm(3), Linear(4 * 6 * 2, 5, rng, bias=bias)
    act = lambda: LeakyReLU(slope) if slope else ReLU()
    rows = act(), conv, act(), norm, act(), up, act(), act(), Tanh(), act(), Flatten(), linear, act()
    network = Sequential(*rows)
    x = Tensor(rng.normal((4, 4, 5, 2)), requires_grad=True)
    together = network(x)
    one_by_one = x
    for layer in rows:
        one_by_one = layer(one_by_one)
    np.testing.assert_allclose(together.numpy(), one_by_one.numpy(), rtol=1e-5, atol=1e-6)
    gradients = [grad(y.sum(), [x, *network.parameters()]) for y in (together, one_by_one)]
    for a, b in zip(*gradients):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)
