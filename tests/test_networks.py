"""Every network that the package builds has the gradients of NumPy on every device: outputs, gradients and buffers."""

import functools

import numpy as np
import pytest

from tinygan import Tensor, backend, grad
from tinygan.gan import presets
from tinygan.gan.presets import PRESETS
from tinygan.metrics.classifier import Classifier

pytestmark = pytest.mark.usefixtures("kernels")
SIZES = {  # shape of an image or a point: the presets whose networks are compared at this size
    (28, 28, 1): PRESETS,
    (64, 64, 3): ["dcgan", "cgan", "sngan"],
    (2,): ["vanilla", "r3gan"],
}
CLASSES = 10


def networks():
    """Return {name: (function of rng that builds the network, shapes of its inputs)}."""
    found = {"classifier": (lambda rng: Classifier(1, CLASSES, rng), [(4, 28, 28, 1)])}
    for shape, names in SIZES.items():
        for name in names:
            preset = presets.for_data(PRESETS[name], shape)
            classes = CLASSES if preset.conditional else 0
            labels = [(4, classes)] if classes else []
            G = functools.partial(presets.build_generator, preset, shape, classes=classes)
            D = functools.partial(presets.build_discriminator, preset, shape, classes=classes)
            found[f"G of {name}, {shape}"] = lambda rng, G=G: G(rng=rng), [(4, preset.latent_size), *labels]
            found[f"D of {name}, {shape}"] = lambda rng, D=D: D(rng=rng), [(4, *shape), *labels]
    return found


def results(build, inputs, saved=None):
    """Return the state of a new network, and what it computes: {name: array}. saved: the state that it gets first."""
    network = build(backend.RNG(0)).flatten("float64")
    if saved:
        network.load_state_dict(saved)
    state = {name: backend.to_host(array).copy() for name, array in network.state_dict().items()}
    x, *labels = (Tensor(backend.to_device(a), requires_grad=i == 0) for i, a in enumerate(inputs))
    y = network(x, *labels)
    weights = backend.to_device(np.random.default_rng(1).standard_normal(y.shape))
    gradients = grad((y * Tensor(weights)).sum(), [x, *network.parameters()])
    computed = dict(zip(["input", *network.named_parameters()], (g.numpy() for g in gradients)))
    buffers = {f"state {name}": backend.to_host(array) for name, array in network.state_dict().items()}
    return state, {"output": y.numpy(), **computed, **buffers}


@pytest.mark.parametrize("name", networks())
def test_a_network_has_the_gradients_of_numpy_on_every_device(name, monkeypatch):
    build, shapes = networks()[name]
    inputs = [np.random.default_rng(0).standard_normal(shape) for shape in shapes]
    with monkeypatch.context() as patch:
        for attribute, value in dict(_device=backend.cpu, device="cpu", xp=np, RNG=backend.cpu.RNG).items():
            patch.setattr(backend, attribute, value)
        saved, expected = results(build, inputs)
    for key, array in results(build, inputs, saved)[1].items():
        scale = np.abs(expected[key]).max(initial=1e-30)
        assert np.abs(array - expected[key]).max(initial=0) <= 1e-9 * scale, f"{key} differs"
