"""Augmentation changes the images that D gets as often and as much as it should. Gradients pass through it."""

import numpy as np
import pytest
from games import build, steps

from tinygan import Tensor, backend, grad
from tinygan.gan.augment import Augmented, roll
from tinygan.layers import Module


class Identity(Module):
    def forward(self, x, *labels):
        return x


def changed(p, images):
    return backend.to_host(Augmented(Identity(), p, backend.RNG(0))(Tensor(backend.to_device(images))).data)


def test_each_image_rolls_by_its_own_number_of_pixels(rng):
    x = backend.to_host(rng.normal((2, 5, 4, 3)))
    up, left = (backend.to_device(np.array(steps)) for steps in ([1, -2], [0, 3]))
    y = backend.to_host(roll(Tensor(backend.to_device(x)), up=up, left=left).data)
    for i, (rows, columns) in enumerate(((1, 0), (-2, 3))):
        assert (y[i] == np.roll(x[i], (-rows, -columns), (0, 1))).all()


def test_images_stay_as_they_are_with_probability_zero_and_change_with_one():
    images = np.random.default_rng(0).uniform(-1, 1, (50, 8, 8, 1)).astype(np.float32)
    assert (changed(0.0, images) == images).all()
    new = changed(1.0, images)
    assert (new != images).any((1, 2, 3)).all() and new.shape == images.shape and new.dtype == np.float32


def test_a_change_covers_a_part_of_the_image_and_changes_its_brightness():
    ones = np.ones((400, 16, 16, 1), np.float32)
    new = changed(1.0, ones)[..., 0]
    light = new.max((1, 2)) - 1  # change of the pixels that are not covered
    assert 0.48 < np.abs(light).max() <= 0.5 and light.std() > 0.2
    covered = (new < new.max((1, 2), keepdims=True) - 0.5).mean((1, 2))
    assert 0 < covered.mean() < 0.1 and 1 / 16 - 0.02 <= covered.max() <= 1 / 16 + 0.02


def test_an_image_is_shifted_by_up_to_an_eighth_of_its_sides(monkeypatch):
    monkeypatch.setattr(Augmented, "COVER", -1.0)
    images = np.zeros((400, 16, 24, 1), np.float32)
    images[:, 8, 12] = 9.0
    places = [np.argwhere(image[..., 0] > 5)[0] - (8, 12) for image in changed(1.0, images)]
    assert [set(steps) for steps in zip(*places)] == [set(range(-2, 3)), set(range(-3, 4))]


@pytest.mark.parametrize("name", ["cgan", "r3gan"])
def test_a_gan_with_augmentation_learns(name):
    training = build(name, augment=0.5)
    before = training.gan.G.flat.data.copy()
    steps(training, 2)
    assert (training.gan.G.flat.data != before).any() and training.is_finite()


def test_some_pixels_are_covered_and_the_gradient_passes_through_all_others():
    x = Tensor(backend.RNG(1).normal((6, 8, 8, 1)), requires_grad=True)
    y = Augmented(Identity(), 1.0, backend.RNG(0))(x)
    (gradient,) = grad((y * y).sum() * 0.5, [x])
    # the gradient is 0 at a covered pixel; at any other pixel it is the pixel's value in y, which is hardly ever 0
    assert 0 < int((gradient.data == 0).sum()) < gradient.size / 4
