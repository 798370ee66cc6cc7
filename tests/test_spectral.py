"""Spectral norm divides weights by their largest singular value. A step does one round of power iteration for each."""

import numpy as np
import pytest
from games import build, steps

from tinygan import Tensor, backend, check_grads
from tinygan.layers import Linear, Sequential, power_iteration, spectral_norm
from tinygan.layers.spectral import SpectralNorm


@pytest.mark.parametrize("shape", [(6, 4), (3, 3, 2, 5), (7, 1)])
def test_power_iteration_finds_the_largest_singular_value(shape, rng):
    weight = Tensor(rng.normal(shape))
    norm = SpectralNorm(weight, rng)
    for _ in range(200):
        norm.iterate(weight)
    largest = np.linalg.svd(weight.numpy().reshape(-1, shape[-1]), compute_uv=False)[0]
    np.testing.assert_allclose(norm(weight).numpy() * largest, weight.numpy(), rtol=1e-4)


def test_a_new_spectral_norm_has_nearly_found_the_largest_singular_value(rng):
    weight = backend.to_device(np.diag([3.0, 2.0, 2.0, 2.0, 2.0]).astype("float32"))
    np.testing.assert_allclose(SpectralNorm(Tensor(weight), rng)(Tensor(weight)).numpy()[0, 0], 1, rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 1, 3)])
def test_the_derivative_of_spectral_norm_treats_singular_vectors_as_constants(shape, rng):
    norm = SpectralNorm(Tensor(rng.normal(shape)), rng)
    norm.u, norm.v = norm.u.astype("float64"), norm.v.astype("float64")
    check_grads(norm, [np.random.default_rng(0).standard_normal(shape)], order=2)


def test_a_step_does_one_round_for_each_layer_and_then_all_passes_use_the_same_vectors(monkeypatch):
    training = build("sngan")
    rounds, seen = [], set()
    iterate, forward = SpectralNorm.iterate, SpectralNorm.forward
    monkeypatch.setattr(SpectralNorm, "iterate", lambda self, w: (rounds.append(id(self)), iterate(self, w))[1])
    monkeypatch.setattr(
        SpectralNorm,
        "forward",
        lambda self, w: (seen.add((id(self), backend.to_host(self.u).tobytes())), forward(self, w))[1],
    )
    steps(training)
    normalised = [layer for layer in training.gan.D.modules() if isinstance(layer, SpectralNorm)]
    assert sorted(rounds) == sorted(map(id, normalised)) and len(seen) == len(normalised) == 5


def test_a_normalised_network_of_linear_layers_has_a_gradient_of_at_most_one(rng):
    D = spectral_norm(Sequential(Linear(5, 8, rng), Linear(8, 1, rng)), rng)
    for _ in range(100):
        power_iteration(D)
    x, y = rng.normal((50, 5)), rng.normal((50, 5))
    rise = abs(D(Tensor(x)).numpy() - D(Tensor(y)).numpy())[:, 0]
    run = np.linalg.norm(backend.to_host(x - y), axis=1)
    assert (rise <= run * 1.001).all() and D.layers[0].weight.numpy().std() == pytest.approx(0.02, rel=0.5)
