"""References: PyTorch versions of tinygan's layers, losses and penalties, and functions that compare the two.

The references take images with channels last, like tinygan. PyTorch has channels first, so the references transpose
images and filters. Without PyTorch, importing this module skips the test module that imports it.
"""

import numpy as np
import pytest

from tinygan import Tensor, backend, grad, layers

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install -e '.[bench]'")
functional = torch.nn.functional


def channels_first(function):
    """Make a reference with channels last from a PyTorch function with channels first."""

    def reference(layer, x, weight, bias=None):
        filters = weight.permute(3, 2, 0, 1).contiguous()  # PyTorch's double backward fails for some strides
        return function(layer, x.movedim(-1, 1), filters, bias).movedim(1, -1)

    return reference


def batch_norm(layer, x, gamma, beta, running_mean, running_var):
    kept = running_mean, running_var  # in training, PyTorch updates them in place
    y = functional.batch_norm(x.movedim(-1, 1), *kept, gamma, beta, layer.training, layer.momentum, layer.eps)
    return y.movedim(1, -1)


LAYERS = {  # class: function of (layer, x, parameters and buffers by name) that returns y
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


OBJECTIVES = {  # function in losses.py: function of (real logits, fake logits) that returns the loss
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
    (gradient,) = torch.autograd.grad(D(images).sum(), images, create_graph=True)
    return gradient.flatten(1).square().sum(1)


def gradient_penalty(D, real, fake, t):
    between = (t * real + (1 - t) * fake).detach().requires_grad_()
    return (squared_gradient_norm(D, between).sqrt() - 1).square().mean()


GRADIENT_PENALTIES = {  # name in penalties.py: function of (D, real images, fake images, t in [0, 1])
    "gp": gradient_penalty,
    "r1": lambda D, real, fake, t: squared_gradient_norm(D, real).mean() / 2,
    "r1r2": lambda D, real, fake, t: (
        (squared_gradient_norm(D, real).mean() + squared_gradient_norm(D, fake).mean()) / 2
    ),
}


def reference_of(table, name):
    """Return the reference of this name from a table of this module. Without a reference, the test fails."""
    references = globals()[table]
    if name not in references:
        pytest.fail(f"{name} has no PyTorch reference: add one to the table {table}")
    return references[name]


def run_reference(module, x, state, prefix=""):
    """Return a module's output, computed by PyTorch. state: {dotted name: torch tensor}, with `prefix` in the names."""
    if isinstance(module, layers.Sequential):
        for i, part in enumerate(module.layers):
            x = run_reference(part, x, state, f"{prefix}{i}.")
        return x
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    return reference_of("LAYERS", type(module).__name__)(module, x, **own)


def torch_state(module):
    """Copy the parameters and buffers of a module: {dotted name: torch tensor}."""
    learned = module.named_parameters()
    arrays = {name: backend.to_host(array) for name, array in module.state_dict().items()}
    return {name: torch.tensor(array, requires_grad=name in learned) for name, array in arrays.items()}


def pair_of(array):
    """Return a tensor of tinygan and a tensor of PyTorch with these values. Both require a gradient."""
    return Tensor(backend.to_device(array), requires_grad=True), torch.tensor(array, requires_grad=True)


def our_grad(y, xs, grad_output=None):
    return grad(y, xs, create_graph=True, grad_output=grad_output, allow_unused=True)


def torch_grad(y, xs, grad_output=None):
    return torch.autograd.grad(y, xs, grad_output, create_graph=True, allow_unused=True, materialize_grads=True)


def assert_equal(ours, theirs, what):
    ours, theirs = (np.asarray(a) for a in (ours, theirs))
    assert ours.shape == theirs.shape, what
    assert ours.dtype == theirs.dtype == "float64", what
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10 * (1 + np.abs(theirs).max(initial=0)), err_msg=what)


def assert_equal_to_second_order(ours, theirs, host):
    """Compare y, its gradients g1, g2, ... for a random grad_output u, and second derivatives.

    ours, theirs: (y, [x1, x2, ...]). host: a random generator of NumPy. The second derivatives are the gradients of
    sum(v1 * g1) + sum(v2 * g2) + ... with respect to each x and to u, where v1, v2, ... are random arrays.
    """
    (y, xs), (torch_y, torch_xs) = ours, theirs
    assert_equal(y.numpy(), torch_y.detach(), "forward")
    u, torch_u = pair_of(host.standard_normal(y.shape))
    gradients, torch_gradients = our_grad(y, xs, u), torch_grad(torch_y, torch_xs, torch_u)
    along, torch_along = 0, 0
    for i, (g, torch_g) in enumerate(zip(gradients, torch_gradients, strict=True)):
        assert_equal(g.numpy(), torch_g.detach(), f"first derivative by argument {i}")
        v, torch_v = pair_of(host.standard_normal(g.shape))
        along, torch_along = along + (g * v.detach()).sum(), torch_along + (torch_g * torch_v.detach()).sum()
    seconds = zip(our_grad(along, [*xs, u]), torch_grad(torch_along, [*torch_xs, torch_u]), strict=True)
    for i, (second, torch_second) in enumerate(seconds):
        assert_equal(second.numpy(), torch_second.detach(), f"second derivative by argument {i} (the last is u)")
