"""What tinygan computes, written with PyTorch, and how the two are compared.

A layer's reference takes and returns what the layer does, channels last; PyTorch wants images and filters channels
first, so it transposes on the way in and out. Importing this skips the test module that does so where PyTorch is
missing.
"""

import numpy as np
import pytest

from tinygan import Tensor, backend, grad, layers

torch = pytest.importorskip("torch", reason="parity is checked where PyTorch is: pip install -e '.[bench]'")
functional = torch.nn.functional


def channels_first(function):
    """A reference on channels-last images out of a PyTorch function on channels-first ones; filters likewise."""

    def reference(layer, x, weight, bias=None):
        filters = weight.permute(3, 2, 0, 1).contiguous()  # PyTorch's own double backward fails on some strided ones
        return function(layer, x.movedim(-1, 1), filters, bias).movedim(1, -1)

    return reference


def batch_norm(layer, x, gamma, beta, running_mean, running_var):
    kept = running_mean, running_var  # which PyTorch updates in place, in training
    y = functional.batch_norm(x.movedim(-1, 1), *kept, gamma, beta, layer.training, layer.momentum, layer.eps)
    return y.movedim(1, -1)


LAYERS = {  # layer: (the layer, for its settings; x; its parameters and buffers by name) -> y
    "Linear": lambda layer, x, weight, bias=None: functional.linear(x, weight.T, bias),
    "Conv2d": channels_first(lambda layer, *xs: functional.conv2d(*xs, layer.stride, layer.padding)),
    "ConvTranspose2d": channels_first(
        lambda layer, *xs: functional.conv_transpose2d(*xs, layer.stride, layer.padding, layer.output_padding)
    ),
    "BatchNorm": batch_norm,
    "ReLU": lambda layer, x: functional.relu(x),
    "LeakyReLU": lambda layer, x: functional.leaky_relu(x, layer.slope),
    "Tanh": lambda layer, x: torch.tanh(x),
    "SpectralNorm": lambda layer, weight, u, v: weight / (u @ weight.flatten(0, -2) @ v),
    "Flatten": lambda layer, x: x.flatten(1),
    "Reshape": lambda layer, x: x.unflatten(1, layer.shape),
}


def bce(logits, label):
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def squared_error(outputs, label):
    return functional.mse_loss(outputs, torch.full_like(outputs, label))


OBJECTIVES = {  # function in losses.py: (real logits, fake logits) -> a number
    "bce_discriminator": lambda real, fake, real_label=1.0: bce(real, real_label) + bce(fake, 0.0),
    "bce_generator": lambda real, fake: bce(fake, 1.0),
    "bce_generator_saturating": lambda real, fake: -bce(fake, 0.0),
    "lsgan_discriminator": lambda real, fake, real_label=1.0: (
        (squared_error(real, real_label) + squared_error(fake, 0.0)) / 2
    ),
    "lsgan_generator": lambda real, fake: squared_error(fake, 1.0) / 2,
    "hinge_discriminator": lambda real, fake: functional.relu(1 - real).mean() + functional.relu(1 + fake).mean(),
    "hinge_generator": lambda real, fake: -fake.mean(),
    "wasserstein_discriminator": lambda real, fake: fake.mean() - real.mean(),
    "relativistic_discriminator": lambda real, fake: bce(real - fake, 1.0),
    "relativistic_generator": lambda real, fake: bce(fake - real, 1.0),
}


def squared_gradient_norm(D, images):
    (slope,) = torch.autograd.grad(D(images).sum(), images, create_graph=True)
    return slope.flatten(1).square().sum(1)


def gradient_penalty(D, real, fake, t):
    between = (t * real + (1 - t) * fake).detach().requires_grad_()
    return (squared_gradient_norm(D, between).sqrt() - 1).square().mean()


SLOPE_PENALTIES = {  # name in penalties.py: (D, real images, fake ones, a uniform number for each pair) -> a number
    "gp": gradient_penalty,
    "r1": lambda D, real, fake, t: squared_gradient_norm(D, real).mean() / 2,
    "r1r2": lambda D, real, fake, t: (
        (squared_gradient_norm(D, real).mean() + squared_gradient_norm(D, fake).mean()) / 2
    ),
}


def reference_of(table, name):
    """The reference in one of the tables here, which are passed by their name."""
    references = globals()[table]
    if name not in references:
        pytest.fail(f"{name} has no PyTorch reference: write one into the table {table}")
    return references[name]


def run_reference(module, x, state, prefix=""):
    """A module's output as PyTorch computes it from `state` ({dotted name: torch tensor})."""
    if isinstance(module, layers.Sequential):
        for i, part in enumerate(module.layers):
            x = run_reference(part, x, state, f"{prefix}{i}.")
        return x
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    return reference_of("LAYERS", type(module).__name__)(module, x, **own)


def torch_state(module):
    """Copies of all that a module keeps: {dotted name: torch tensor}."""
    learned = module.named_parameters()
    arrays = {name: backend.to_host(array) for name, array in module.state_dict().items()}
    return {name: torch.tensor(array, requires_grad=name in learned) for name, array in arrays.items()}


def pair_of(array):
    """The same values for both libraries, in tensors that require a gradient."""
    return Tensor(backend.to_device(array), requires_grad=True), torch.tensor(array, requires_grad=True)


def our_grad(y, xs, seed=None):
    return grad(y, xs, create_graph=True, grad_output=seed, allow_unused=True)


def torch_grad(y, xs, seed=None):
    return torch.autograd.grad(y, xs, seed, create_graph=True, allow_unused=True, materialize_grads=True)


def assert_equal(ours, theirs, what):
    ours, theirs = (np.asarray(a) for a in (ours, theirs))
    assert ours.shape == theirs.shape, what
    assert ours.dtype == theirs.dtype == "float64", what
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10 * (1 + np.abs(theirs).max(initial=0)), err_msg=what)


def assert_equal_to_second_order(ours, theirs, host):
    """ours, theirs: (y, [x1, x2, ...]). Compares y, its slopes by a random seed u, and the slopes of those.

    The second derivatives are those of <v1, dy/dx1> + <v2, dy/dx2> + ..., v random, by every x and by u.
    """
    (y, xs), (torch_y, torch_xs) = ours, theirs
    assert_equal(y.numpy(), torch_y.detach(), "forward")
    u, torch_u = pair_of(host.standard_normal(y.shape))
    slopes, torch_slopes = our_grad(y, xs, u), torch_grad(torch_y, torch_xs, torch_u)
    along, torch_along = 0, 0
    for i, (slope, torch_slope) in enumerate(zip(slopes, torch_slopes, strict=True)):
        assert_equal(slope.numpy(), torch_slope.detach(), f"first derivative by argument {i}")
        v, torch_v = pair_of(host.standard_normal(slope.shape))
        along, torch_along = along + (slope * v.detach()).sum(), torch_along + (torch_slope * torch_v.detach()).sum()
    seconds = zip(our_grad(along, [*xs, u]), torch_grad(torch_along, [*torch_xs, torch_u]), strict=True)
    for i, (second, torch_second) in enumerate(seconds):
        assert_equal(second.numpy(), torch_second.detach(), f"second derivative by argument {i} (the last: the seed)")
