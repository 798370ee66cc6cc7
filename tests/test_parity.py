"""Layers, losses, penalties, Adam and a whole GAN give PyTorch's numbers and PyTorch's derivatives.

Finite differences show that a derivative fits its function. These tests show that the function itself is right. All
inputs are random, and so are the configurations of layers. Adam is compared in float32, all else in float64. The tests
need PyTorch.
"""

import inspect

import numpy as np
import pytest
from torch_reference import (
    OBJECTIVES,
    assert_equal,
    assert_equal_to_second_order,
    our_grad,
    pair_of,
    reference_of,
    run_reference,
    torch,
    torch_grad,
    torch_state,
)

from tinygan import Tensor, backend, layers
from tinygan.gan import losses
from tinygan.gan.penalties import PENALTIES
from tinygan.gan.presets import PRESETS
from tinygan.optim import Adam

SEEDS = range(20)  # one configuration for each seed
IMAGE = (28, 28, 1)
# Module is the base class, Sequential only calls other layers, and Dropout is random
NOT_COMPARED = {"Module", "Sequential", "Dropout"}


def learned(module, state):
    return [state[name] for name in module.named_parameters()]


def linear(host, rng):
    n, n_in, n_out = host.integers(1, 6, 3)
    return layers.Linear(n_in, n_out, rng, bias=bool(host.integers(2))), (n, n_in)


def windows(host):
    """Draw kernel, stride and padding: (kh, kw), (sh, sw), (ph, pw). Often the stride is the kernel, or larger."""
    kernel = host.integers(1, 6, 2)
    stride = kernel if host.integers(3) == 0 else host.integers(1, 7, 2)
    return kernel, stride, host.integers(0, kernel // 2 + 1)


def channels(host):
    """Draw two numbers of channels: a few, or enough for compiled tiles."""
    return ints(host.integers(1, 4 if host.integers(2) else 71, 2))


def conv(host, rng):
    n, (n_in, n_out), (kernel, stride, padding) = int(host.integers(1, 4)), channels(host), windows(host)
    size = np.maximum(1, kernel - 2 * padding) + host.integers(0, 6, 2)
    options = dict(stride=ints(stride), padding=ints(padding), bias=bool(host.integers(2)))
    return layers.Conv2d(n_in, n_out, ints(kernel), rng, **options), (n, *ints(size), n_in)


def conv_transpose(host, rng):
    n, (n_in, n_out), (kernel, stride, padding) = int(host.integers(1, 4)), channels(host), windows(host)
    options = dict(stride=ints(stride), padding=ints(padding), output_padding=ints(host.integers(0, stride)))
    layer = layers.ConvTranspose2d(n_in, n_out, ints(kernel), rng, bias=bool(host.integers(2)), **options)
    least = 1 + (2 * padding >= kernel)  # so that the output has a pixel
    return layer, (n, *ints(least + host.integers(0, 4, 2)), n_in)


def batch_normalisation(mode):
    def draw(host, rng):
        n, h, w, channels = host.integers(2, 5, 4)
        layer = layers.BatchNorm(channels, momentum=host.uniform(0.05, 0.5), eps=10 ** host.uniform(-5, -2))
        return layer.train(mode == "training"), (n, channels) if host.integers(2) else (n, h, w, channels)

    return draw


def spectral_norm(host, rng):
    shape = ints(host.integers(1, 5, 2 * host.integers(1, 3)))  # 2 or 4 axes
    return layers.SpectralNorm(Tensor(rng.normal(shape)), rng), shape


def elementwise(make):
    return lambda host, rng: (make(host), ints(host.integers(1, 5, host.integers(1, 5))))


def ints(sizes):
    return tuple(int(n) for n in sizes)


CONFIGURATIONS = {  # name: function of (NumPy's rng, tinygan's rng) that returns a layer and the shape of its input
    "Linear": linear,
    "Conv2d": conv,
    "ConvTranspose2d": conv_transpose,
    "BatchNorm in training": batch_normalisation("training"),
    "BatchNorm in evaluation": batch_normalisation("evaluation"),
    "ReLU": elementwise(lambda host: layers.ReLU()),
    "LeakyReLU": elementwise(lambda host: layers.LeakyReLU(host.uniform(0, 1))),
    "Tanh": elementwise(lambda host: layers.Tanh()),
    "SpectralNorm": spectral_norm,
    "Flatten": lambda host, rng: (layers.Flatten(), ints(host.integers(1, 5, 3))),
    "Reshape": lambda host, rng: (layers.Reshape(3, 1, 2), (int(host.integers(1, 5)), 6)),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_layer_has_pytorchs_outputs_buffers_and_first_and_second_derivatives(name, seed, rng):
    host = np.random.default_rng(seed)
    layer, shape = CONFIGURATIONS[name](host, rng)
    layer.flatten("float64")
    parameters = layer.named_parameters()
    drawn = {k: host.standard_normal(v.shape) if k in parameters else 0.5 + host.random(v.shape)  # variances are > 0
             for k, v in layer.state_dict().items()}  # fmt: skip
    layer.load_state_dict(drawn)
    state = torch_state(layer)
    x, torch_x = pair_of(host.standard_normal(shape))
    ours = layer(x), [x, *layer.parameters()]
    theirs = run_reference(layer, torch_x, state), [torch_x, *learned(layer, state)]
    assert_equal_to_second_order(ours, theirs, host)
    for key, array in layer.state_dict().items():
        assert_equal(backend.to_host(array), state[key].detach(), key)


@pytest.mark.parametrize("draw", [conv, conv_transpose])
def test_random_configurations_of_convolutions_include_unusual_ones(draw, rng):
    drawn = [draw(np.random.default_rng(seed), rng) for seed in SEEDS]
    kernels = [layer.weight.shape[:2] for layer, _ in drawn]
    assert any(max(layer.stride) > max(kernel) for (layer, _), kernel in zip(drawn, kernels))
    assert any(layer.stride == kernel for (layer, _), kernel in zip(drawn, kernels)) and any(1 in k for k in kernels)
    assert any(min(layer.n_in, layer.n_out) > 32 for layer, _ in drawn)
    assert any(1 in shape[1:3] for _, shape in drawn) and {1, 2} <= {shape[0] for _, shape in drawn}
    assert any(kernel[0] != kernel[1] and shape[1] != shape[2] for (_, shape), kernel in zip(drawn, kernels))
    assert draw is conv or any(any(layer.output_padding) for layer, _ in drawn)


def test_every_layer_is_compared():
    there_are = {name for name, value in vars(layers).items() if isinstance(value, type)}
    assert {name.split()[0] for name in CONFIGURATIONS} == there_are - NOT_COMPARED


def objectives():
    """Return {name: function} of the losses of D and G: those in LOSSES, and others in losses.py."""
    of_records = [side for loss in losses.LOSSES.values() for side in (loss.discriminator, loss.generator)]
    others = [
        function
        for _, function in inspect.getmembers(losses, inspect.isfunction)
        if list(inspect.signature(function).parameters)[:2] == ["real_logits", "fake_logits"]
    ]
    return {function.__name__: function for function in of_records + others}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", objectives())
def test_a_loss_has_pytorchs_values_and_first_and_second_derivatives(name, seed):
    reference, function, host = reference_of("OBJECTIVES", name), objectives()[name], np.random.default_rng(seed)
    smoothed = "real_label" in inspect.signature(function).parameters
    options = {"real_label": host.uniform(0.5, 1.0)} if smoothed and seed else {}
    n = int(host.integers(1, 8))
    ours, theirs = zip(*(pair_of(3 * host.standard_normal((n, 1))) for _ in ("real", "fake")))
    y, torch_y = function(*ours, **options), reference(*theirs, **options)
    assert_equal_to_second_order((y, list(ours)), (torch_y, list(theirs)), host)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_and_its_weight_gradient_equal_pytorchs(name, seed, rng):
    reference, host = reference_of("GRADIENT_PENALTIES", name), np.random.default_rng(seed)
    D = layers.Sequential(
        layers.Conv2d(2, 4, 3, rng, stride=2, padding=1), layers.Tanh(),
        layers.Conv2d(4, 4, 2, rng), layers.LeakyReLU(), layers.Flatten(), layers.Linear(16, 1, rng),
    ).flatten("float64")  # fmt: skip
    D.load_state_dict({key: 0.5 * host.standard_normal(array.shape) for key, array in D.state_dict().items()})
    state = torch_state(D)
    (real, torch_real), (fake, torch_fake) = (pair_of(host.uniform(-1, 1, (3, 5, 5, 2))) for _ in ("real", "fake"))
    t = torch.tensor(backend.to_host(backend.RNG(seed).uniform((3, 1, 1, 1), "float64")))

    ours = PENALTIES[name].function(D, real, fake, D(real), D(fake), backend.RNG(seed))
    theirs = reference(lambda x: run_reference(D, x, state), torch_real, torch_fake, t)
    assert_equal(ours.numpy(), theirs.detach(), "penalty")
    gradients = our_grad(ours, D.parameters()), torch_grad(theirs, learned(D, state))
    for key, gradient, torch_gradient in zip(D.named_parameters(), *gradients, strict=True):
        assert_equal(gradient.numpy(), torch_gradient.detach(), key)


def test_a_missing_reference_is_named():
    for table in ("LAYERS", "OBJECTIVES", "GRADIENT_PENALTIES"):
        with pytest.raises(pytest.fail.Exception, match=f"brand_new has no PyTorch reference.*{table}"):
            reference_of(table, "brand_new")


@pytest.mark.parametrize("betas", [(0.5, 0.999), (0.9, 0.999), (0.0, 0.9), (0.0, 0.99), (0.5, 0.9)])
def test_100_steps_of_adam_in_float32_equal_pytorchs(betas, rng):
    network = layers.Sequential(layers.Linear(3, 4, rng), layers.Linear(4, 1, rng)).flatten()
    optimizer, state = Adam(network, lr=0.01, betas=betas), torch_state(network)
    theirs = torch.optim.Adam(learned(network, state), lr=0.01, betas=betas)
    host = np.random.default_rng(0)
    for _ in range(100):
        scale = 10 ** host.uniform(-4, 2)  # so that the steps have gradients of very different sizes
        gradients = [(scale * host.standard_normal(p.shape)).astype("float32") for p in network.parameters()]
        optimizer.step([Tensor(backend.to_device(g)) for g in gradients])
        for parameter, g in zip(learned(network, state), gradients):
            parameter.grad = torch.tensor(g)
        theirs.step()
    for parameter, expected in zip(network.parameters(), learned(network, state)):
        np.testing.assert_allclose(parameter.numpy(), expected.detach(), rtol=1e-5, atol=1e-5)


def test_a_whole_dcgan_equals_pytorchs_in_images_logits_statistics_and_gradients(rng):
    preset, host = PRESETS["dcgan"], np.random.default_rng(0)
    G = preset.generator(IMAGE, preset.latent_size, rng).flatten("float64")
    D = preset.discriminator(IMAGE, rng).flatten("float64")
    G_state, D_state = torch_state(G), torch_state(D)
    real, torch_real = pair_of(host.uniform(-1, 1, (4, *IMAGE)))
    latent, torch_latent = pair_of(host.standard_normal((4, preset.latent_size)))

    fake, torch_fake = G(latent), run_reference(G, torch_latent, G_state)
    assert_equal(fake.numpy(), torch_fake.detach(), "images")
    logits = [D(real), D(fake.detach()), D(fake)]
    torch_logits = [run_reference(D, x, D_state) for x in (torch_real, torch_fake.detach(), torch_fake)]
    for ours, theirs in zip(logits, torch_logits):
        assert_equal(ours.numpy(), theirs.detach(), "logits")
    for network, state in ((G, G_state), (D, D_state)):
        for key, array in network.state_dict().items():
            assert_equal(backend.to_host(array), state[key].detach(), key)

    bce = losses.LOSSES["bce"]
    d_loss, g_loss = bce.discriminator(logits[0], logits[1]), bce.generator(logits[0], logits[2])
    torch_d_loss = OBJECTIVES["bce_discriminator"](torch_logits[0], torch_logits[1])
    torch_g_loss = OBJECTIVES["bce_generator"](torch_logits[0], torch_logits[2])
    for loss, torch_loss, network, state in [(d_loss, torch_d_loss, D, D_state), (g_loss, torch_g_loss, G, G_state)]:
        assert_equal(loss.numpy(), torch_loss.detach(), "loss")
        gradients = zip(network.named_parameters(), our_grad(loss, network.parameters()),
                        torch_grad(torch_loss, learned(network, state)), strict=True)  # fmt: skip
        for name, ours, theirs in gradients:
            assert_equal(ours.numpy(), theirs.detach(), name)
