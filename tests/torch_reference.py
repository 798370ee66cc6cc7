"""What tinygan computes, written with PyTorch: the other side of test_parity.py.

A layer's reference takes and returns what the layer does, channels last; PyTorch wants images and filters channels
first, so it transposes on the way in and out. Importing this skips the test module that does so where PyTorch is
missing.
"""

import pytest

from tinygan import backend, layers

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
