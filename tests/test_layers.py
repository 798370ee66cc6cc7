"""Derivatives of each layer equal finite differences in train and eval mode. Wrong inputs and states are refused."""

import numpy as np
import pytest

from tinygan import Tensor, backend, check_grads, grad, layers
from tinygan.layers import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
)
from tinygan.layers.initial import he_normal, normal

LAYERS = {  # name: (function rng -> layer, input shape, output shape)
    "Linear": (lambda g: Linear(3, 2, g), (4, 3), (4, 2)),
    "Linear without bias": (lambda g: Linear(3, 2, g, bias=False), (4, 3), (4, 2)),
    "Conv2d": (lambda g: Conv2d(2, 3, (3, 2), g, stride=(2, 1), padding=(1, 0)), (2, 4, 4, 2), (2, 2, 3, 3)),
    "ConvTranspose2d": (
        lambda g: ConvTranspose2d(3, 2, 3, g, stride=2, padding=1, output_padding=(1, 0)), (1, 2, 3, 3), (1, 4, 5, 2)
    ),
    "BatchNorm of rows": (lambda g: BatchNorm(3), (4, 3), (4, 3)),
    "BatchNorm of images": (lambda g: BatchNorm(2), (2, 2, 3, 2), (2, 2, 3, 2)),
    "ReLU": (lambda g: ReLU(), (3, 4), (3, 4)),
    "LeakyReLU": (lambda g: LeakyReLU(0.2), (3, 4), (3, 4)),
    "Tanh": (lambda g: Tanh(), (3, 4), (3, 4)),
    "Dropout": (lambda g: Dropout(0.4, g), (3, 4), (3, 4)),
    "Flatten": (lambda g: Flatten(), (2, 2, 3), (2, 6)),
    "Reshape": (lambda g: Reshape(3, 2), (2, 6), (2, 3, 2)),
    "Sequential": (lambda g: Sequential(Linear(3, 4, g), BatchNorm(4), Tanh(), Dropout(0.3, g)), (4, 3), (4, 4)),
}  # fmt: skip


def frozen(module):
    """Reset the random numbers of each Dropout in a module, so that each call draws the same mask."""
    for value in vars(module).values():
        if isinstance(value, backend.RNG):
            module.rng = backend.RNG(0)
        elif isinstance(value, layers.Module):
            frozen(value)


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", LAYERS)
def test_derivatives_with_respect_to_input_and_parameters_match_finite_differences(name, mode, rng):
    make, shape, _ = LAYERS[name]
    layer = make(rng).flatten("float64").train(mode == "train")
    host = np.random.default_rng(3)
    if any("running" in key for key in layer.state_dict()):  # so that the means are not 0, and the variances not 1
        layer.load_state_dict({k: 0.5 + host.random(v.shape) for k, v in layer.state_dict().items()})
    slots = list(parameter_slots(layer))

    def function(x, *weights):
        frozen(layer)
        for (module, attribute), weight in zip(slots, weights):
            setattr(module, attribute, weight)
        return layer(x)

    x = host.standard_normal(shape)
    weights = [host.standard_normal(getattr(m, a).shape) for m, a in slots]
    check_grads(function, [np.sign(x) * (np.abs(x) + 0.1), *weights], name=f"{name} in {mode} mode")


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_derivatives_of_batch_norm_are_right_to_third_order(mode, rng):
    layer = BatchNorm(2).flatten("float64").train(mode == "train")
    x = np.random.default_rng(3).standard_normal((4, 2))

    def function(x, gamma, beta):
        layer.gamma, layer.beta = gamma, beta
        return layer(x)

    check_grads(function, [x, np.array([0.5, -2.0]), np.array([1.0, 0.1])], order=3)


def parameter_slots(module):
    """Yield (module, name of the attribute) of each parameter."""
    for attribute, value in list(vars(module).items()):
        if isinstance(value, layers.Module):
            yield from parameter_slots(value)
        elif isinstance(value, Tensor):
            yield module, attribute


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_have_the_expected_shape_and_dtype(name, rng):
    make, shape, out = LAYERS[name]
    for dtype in ("float32", "float64"):
        y = make(rng).flatten(dtype)(Tensor(rng.normal(shape, dtype)))
        assert y.shape == out and y.dtype == dtype


def test_every_layer_is_in_the_table():
    known = {name.split()[0] for name in LAYERS}
    modules = {name for name, value in vars(layers).items() if isinstance(value, type)}
    assert known == modules - {"Module", "SpectralNorm"}  # SpectralNorm is tested in test_spectral.py


def test_state_dict_has_dotted_names_in_the_order_of_the_layers(rng):
    network = Sequential(Linear(2, 3, rng), Sequential(BatchNorm(3), Tanh()), Linear(3, 1, rng, bias=False))
    assert list(network.state_dict()) == [
        "0.weight", "0.bias", "1.0.gamma", "1.0.beta", "1.0.running_mean", "1.0.running_var", "2.weight",
    ]  # fmt: skip
    assert list(network.named_parameters()) == ["0.weight", "0.bias", "1.0.gamma", "1.0.beta", "2.weight"]


def test_a_network_with_loaded_state_gives_the_same_outputs(rng):
    def make(seed):
        g = backend.RNG(seed)
        return Sequential(Linear(3, 4, g), BatchNorm(4), LeakyReLU(), Linear(4, 2, g))

    a, b = make(1), make(2)
    a(Tensor(rng.normal((5, 3))))  # changes the running statistics
    b.load_state_dict({name: backend.to_host(array).copy() for name, array in a.state_dict().items()})
    x = Tensor(rng.normal((4, 3)))
    assert (a.eval()(x).numpy() == b.eval()(x).numpy()).all()


@pytest.mark.parametrize(
    "change, word",
    [
        (lambda s: s.pop("bias"), "lacks 'bias'"),
        (lambda s: s.update(extra=np.zeros(1)), "unknown 'extra'"),
        (lambda s: s.update(weight=np.zeros((2, 2), "float32")), r"float32 \(2, 2\) was saved"),
        (lambda s: s.update(weight=s["weight"].astype("float64")), "float64"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, word, rng):
    layer = Linear(3, 2, rng)
    before = {name: backend.to_host(array).copy() for name, array in layer.state_dict().items()}
    saved = {name: array + 1 for name, array in before.items()}
    change(saved)
    with pytest.raises(ValueError, match=word):
        layer.load_state_dict(saved)
    assert all((backend.to_host(a) == before[name]).all() for name, a in layer.state_dict().items())


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer.flatten(),
        lambda layer: layer.load_state_dict({k: backend.to_host(v).copy() for k, v in layer.state_dict().items()}),
    ],
)
def test_weights_that_are_moved_or_loaded_make_earlier_graphs_invalid(change, rng):
    layer = Linear(2, 1, rng)
    y = layer(Tensor(rng.normal((3, 2)))).sum()
    change(layer)
    with pytest.raises(RuntimeError, match="updated in place"):
        grad(y, layer.parameters())


@pytest.mark.parametrize("init, spread", [(normal, 0.02), (he_normal, 0.2)])
def test_initial_weights_have_the_standard_deviation_of_their_paper(init, spread, rng):
    assert backend.to_host(init(rng, (200, 300), 50)).std() == pytest.approx(spread, rel=0.02)


@pytest.mark.parametrize(
    "make, shape",
    [
        (lambda **o: Linear(6, 2, **o), (1, 6)),
        (lambda **o: Conv2d(3, 2, (3, 2), stride=2, **o), (1, 24, 24, 3)),
        (lambda **o: ConvTranspose2d(3, 2, 4, stride=2, padding=1, **o), (1, 12, 12, 3)),
        (lambda **o: ConvTranspose2d(3, 2, (3, 2), stride=(2, 3), output_padding=(1, 1), **o), (1, 12, 12, 3)),
    ],
)
def test_fan_in_is_the_mean_number_of_inputs_of_an_output_within_the_image(make, shape, rng):
    given = []

    def ones(rng, shape, fan_in):
        given.append(fan_in)
        return backend.xp.ones(shape, "float32")

    y = make(rng=rng, init=ones)(Tensor(backend.xp.ones(shape, "float32"))).numpy()
    assert (y[:, 4:10, 4:10] if y.ndim == 4 else y).mean() == pytest.approx(given[0])


def test_leaky_relu_has_the_slope_of_dcgan_by_default():
    assert LeakyReLU()(Tensor([-1.0, 2.0])).numpy().tolist() == pytest.approx([-0.2, 2.0])


def test_flatten_makes_every_parameter_an_aligned_view_of_one_array(rng):
    network = Sequential(Linear(3, 5, rng), Linear(5, 2, rng))
    before = [p.numpy().copy() for p in network.parameters()]
    network.flatten()
    for parameter, old, part in zip(network.parameters(), before, network.flat.slices.values()):
        assert part.start * 4 % 64 == 0
        assert (parameter.numpy() == old).all()
        network.flat.data[part] = 7.0
        assert (parameter.numpy() == 7.0).all()


def test_batch_norm_in_training_gives_mean_beta_and_standard_deviation_gamma(rng):
    layer = BatchNorm(3)
    layer.gamma.data[...] = 2.0
    layer.beta.data[...] = 5.0
    y = layer(Tensor(rng.normal((500, 2, 2, 3)) * 3 + 7)).numpy()
    np.testing.assert_allclose(y.mean((0, 1, 2)), 5, atol=1e-4)
    np.testing.assert_allclose(y.std((0, 1, 2)), 2, atol=1e-4)


def test_batch_norm_keeps_running_statistics_with_unbiased_variance(rng):
    layer = BatchNorm(2)
    x = rng.normal((6, 2))
    layer(Tensor(x))
    host = backend.to_host(x)
    np.testing.assert_allclose(backend.to_host(layer.running_mean), 0.1 * host.mean(0), rtol=1e-5)
    np.testing.assert_allclose(backend.to_host(layer.running_var), 0.9 + 0.1 * host.var(0, ddof=1), rtol=1e-5)


def test_batch_norm_in_eval_mode_treats_each_image_alone_and_keeps_its_statistics(rng):
    layer = BatchNorm(2).eval()
    x = rng.normal((6, 2))
    before = [backend.to_host(a).copy() for a in (layer.running_mean, layer.running_var)]
    assert (layer(Tensor(x)).numpy()[:1] == layer(Tensor(x[:1])).numpy()).all()
    assert all((backend.to_host(a) == b).all() for a, b in zip((layer.running_mean, layer.running_var), before))


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_batch_norm_adds_1e_5_to_the_variance(mode):
    layer = BatchNorm(1).flatten("float64").train(mode == "train")
    layer.running_var[...] = 9e-6
    x = np.array([[3e-3], [-3e-3]])  # the mean is 0, the variance 9e-6
    np.testing.assert_allclose(layer(Tensor(backend.to_device(x))).numpy(), x / np.sqrt(9e-6 + 1e-5), rtol=1e-12)


def test_batch_norm_is_accurate_in_float32_for_a_large_mean(rng):
    """The mean of x is 1000, and the variance is 1. The formula E[x^2] - mean^2 is too inaccurate for this."""
    x = rng.normal((1000, 1)) + 1000
    y = BatchNorm(1)(Tensor(x)).numpy()
    assert y.std() == pytest.approx(1, abs=0.01)


def test_dropout_keeps_the_mean_in_training_and_does_nothing_in_eval_mode(rng):
    layer = Dropout(0.3, rng)
    x = Tensor(backend.xp.ones((200, 200), "float32"))
    y = layer(x).numpy()
    assert y.mean() == pytest.approx(1, abs=0.02)
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.02)
    assert (layer.eval()(x).numpy() == 1).all()


def test_images_with_channels_first_are_refused_with_a_hint(rng):
    message = (
        r"Conv2d\(1 -> 64\) wants channels last \(N, H, W, 1\); got \(128, 1, 28, 28\). Try x.transpose\(0, 2, 3, 1\)."
    )
    with pytest.raises(ValueError, match=message):
        Conv2d(1, 64, 4, rng)(Tensor(rng.normal((128, 1, 28, 28))))


@pytest.mark.parametrize(
    "make, shape, word",
    [
        (lambda g: Linear(3, 2, g), (2, 4), "wants"),
        (lambda g: Linear(3, 2, g), (2, 3, 1), "Flatten"),
        (lambda g: BatchNorm(3), (2, 4), "channels last"),
        (lambda g: BatchNorm(3), (1, 3), "two values"),
        (lambda g: ConvTranspose2d(3, 2, 3, g), (1, 2, 2, 2), "wants"),
        (lambda g: Dropout(1.0, g), (1, 1), "less than 1"),
        (lambda g: layers.LeakyReLU(2.0), (1, 1), "must be from 0 to 1"),
        (lambda g: ConvTranspose2d(1, 1, 3, g, stride=2, output_padding=2), (1, 2, 2, 1), "smaller than the stride"),
    ],
)
def test_layers_refuse_wrong_shapes_and_options(make, shape, word, rng):
    with pytest.raises(ValueError, match=word):
        make(rng)(Tensor(rng.normal(shape)))
