"""The average of G's weights (EMA) has the given half-life. Samples are drawn with the averaged weights.

BatchNorm's statistics for the averaged weights are computed from latent vectors.
"""

import numpy as np
import pytest
from games import build, steps

from tinygan import Tensor, backend
from tinygan.gan.ema import EMA, update_bn_statistics
from tinygan.layers import BatchNorm, Linear, Sequential


def test_the_average_follows_the_weights_with_its_half_life(rng):
    network, average = Linear(2, 1, rng).flatten(), Linear(2, 1, rng)
    ema = EMA(network, average, half_life=100, images_per_step=50)
    ema.images[...] = 1e6  # after so many images, the half-life is 100
    network.flat.data[...] = 0.0
    average.flat.data[...] = 1.0
    for expected in (0.5**0.5, 0.5, 0.5**1.5):
        ema.update()
        np.testing.assert_allclose(average.weight.numpy(), expected, rtol=1e-5)


def test_the_average_forgets_the_first_weights_quickly(rng):
    network, average = Linear(2, 1, rng).flatten(), Linear(2, 1, rng)
    ema = EMA(network, average, half_life=1e6, images_per_step=64)
    network.flat.data[...] = 1.0
    for _ in range(5):
        ema.update()
    assert abs(average.weight.numpy() - 1).max() < 1e-3


def test_the_average_begins_at_the_weights(rng):
    network, average = Linear(2, 1, rng).flatten(), Linear(2, 1, rng)
    EMA(network, average, half_life=100, images_per_step=50)
    assert (average.weight.numpy() == network.weight.numpy()).all()


def test_early_in_training_the_half_life_is_a_twentieth_of_the_images(rng):
    network, average = Linear(2, 1, rng).flatten(), Linear(2, 1, rng)
    ema = EMA(network, average, half_life=1e6, images_per_step=1)
    ema.images[...], network.flat.data[...], average.flat.data[...] = 99, 0.0, 1.0
    ema.update()
    np.testing.assert_allclose(average.weight.numpy(), 0.5 ** (1 / 5), rtol=1e-5)


def test_updated_bn_statistics_are_the_means_over_the_batches(rng):
    layer = BatchNorm(2)
    batches = [rng.normal((50, 2)) + i for i in range(4)]
    update_bn_statistics(Sequential(layer), [(Tensor(b),) for b in batches])
    means = np.mean([backend.to_host(b).mean(0) for b in batches], axis=0)
    variances = np.mean([backend.to_host(b).var(0, ddof=1) for b in batches], axis=0)
    np.testing.assert_allclose(backend.to_host(layer.running_mean), means, rtol=1e-4)
    np.testing.assert_allclose(backend.to_host(layer.running_var), variances, rtol=1e-4)
    assert layer.momentum == 0.1


def test_an_error_leaves_the_momentum_of_batch_norm_as_it_was(rng):
    layer = BatchNorm(2)
    with pytest.raises(ValueError, match="channels last"):
        update_bn_statistics(Sequential(layer), [(Tensor(rng.normal((4, 2))),), (Tensor(rng.normal((4, 3))),)])
    assert layer.momentum == 0.1


def test_statistics_for_samples_are_those_of_2048_latent_vectors(monkeypatch):
    training, sizes = build(), []
    forward = training.ema.average.forward
    monkeypatch.setattr(training.ema.average, "forward", lambda x: (sizes.append(len(x)), forward(x))[1])
    training.sampler()
    assert sizes == [256] * 8


def test_an_error_in_sampling_leaves_g_in_training_mode():
    training = build(ema=0.0)
    with pytest.raises(ValueError, match="wants"):
        training.sample(backend.RNG(0).normal((2, 3)))
    assert all(module.training for module in training.gan.G.modules())


def sampled(training, latent):
    return backend.to_host(training.sample(latent))


def test_samples_are_drawn_with_averaged_weights_and_their_own_statistics():
    training = steps(build(), 3)
    latent = backend.RNG(5).normal((40, training.gan.latent_size))
    before = sampled(training, latent)
    assert before.std() > 0 and (training.ema.average.flat.data != training.gan.G.flat.data).any()
    training.gan.G.flat.data[...] = 0.0
    assert (sampled(training, latent) == before).all()
    for layer in training.ema.average.modules():
        if isinstance(layer, BatchNorm):
            layer.running_mean[...] = 9.0
    assert (sampled(training, latent) == before).all()
    first = training.ema.average.flat.data.copy()
    steps(training)
    assert (training.ema.average.flat.data != first).any()


@pytest.mark.parametrize("ema", [0.0, 1e3])
def test_a_sample_does_not_depend_on_the_others_in_its_batch(ema):
    training = steps(build(ema=ema), 3)
    latent = backend.RNG(5).normal((8, training.gan.latent_size))
    np.testing.assert_allclose(sampled(training, latent)[:3], sampled(training, latent[:3]), rtol=1e-4, atol=1e-6)
