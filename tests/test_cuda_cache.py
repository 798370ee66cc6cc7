"""A captured step caches patches and constants (cuda/step_cache.py). Kernels of cuda/arrays.py give NumPy's results.

Run with pytest --device standin, or --device cuda.
"""

import numpy as np
import pytest

from tinygan import backend

if backend.device == "cpu":
    pytest.skip("needs --device standin or cuda", allow_module_level=True)
from tinygan.backend.cuda import random, step_cache

GEOMETRY = (3, 3), (1, 1), (1, 1)  # kernel, stride, padding


def images(seed=0):
    return backend.to_device(np.random.default_rng(seed).standard_normal((2, 4, 4, 2)).astype("float32"))


def filters():
    return backend.to_device(np.ones((3, 3, 2, 1), "float32"))


def weight_grad(x):
    g = backend.to_device(np.ones((2, 4, 4, 1), "float32"))
    return backend.to_host(backend.conv2d_weight_grad(x, g, *GEOMETRY))


def test_outside_of_a_captured_step_changed_images_have_new_patches():
    x = images()
    backend.conv2d(x, filters(), *GEOMETRY[1:])
    x[...] = images(1)
    np.testing.assert_array_equal(weight_grad(x), weight_grad(images(1)))


def test_a_captured_step_makes_the_patches_of_an_image_once(monkeypatch):
    made, make = [], backend._device.im2col
    monkeypatch.setattr(backend._device, "im2col", lambda *args: made.append(1) or make(*args))

    def step():
        x = images()
        backend.conv2d(x, filters(), *GEOMETRY[1:])
        first = weight_grad(x)
        assert len(made) == 1 and (first == weight_grad(x)).all()
        backend.conv2d(x, filters(), (2, 2), (1, 1))  # another stride has other patches
        assert len(made) == 2 and len(step.cache.patches) == 2
        del x
        assert not step.cache.patches

    step.cache = step_cache.StepCache()
    space = step.cache.space
    step.cache.run(step)
    assert step.cache.space == space


def test_a_convolution_uses_only_the_patches_of_constants_again(monkeypatch):
    """All other images can change in place, within a step or between two steps."""
    made, make = [], backend._device.im2col
    monkeypatch.setattr(backend._device, "im2col", lambda *args: made.append(1) or make(*args))
    x, results = images(), []

    def step():
        for factor in (1, 3):
            x[...] = factor * x
            results.append(backend.to_host(backend.conv2d(x, filters(), *GEOMETRY[1:])))
            backend.conv2d(backend.ones(x.shape, x.dtype), filters(), *GEOMETRY[1:])

    cache = step_cache.StepCache()
    for patches in (3, 5):  # the first call also makes the patches of the ones
        cache.run(step)
        assert len(made) == patches
    for result, factor in zip(results, (1, 3, 3, 9), strict=True):
        np.testing.assert_allclose(result, factor * results[0], rtol=1e-5, atol=1e-5)


def test_patches_that_are_too_large_are_not_cached():
    def step():
        x = images()
        backend.conv2d(x, filters(), *GEOMETRY[1:])
        assert not few.patches

    few = step_cache.StepCache()
    few.space = 100
    few.run(step)


def test_a_captured_step_makes_its_constants_only_in_the_first_call():
    arrays, step = [], step_cache.StepCache()
    for _ in range(2):
        step.run(lambda: arrays.append(backend.ones((2, 1), "float32")))
    assert arrays[0] is arrays[1] and backend.to_host(arrays[0]).tolist() == [[1], [1]]
    assert backend.ones((2, 1), "float32") is not backend.ones((2, 1), "float32")


def test_random_numbers_of_captured_steps_equal_those_of_eager_calls():
    draws = random.RNG.AHEAD + 3

    def step():
        for y in drawn:
            y[...] = captured.uniform((5,))

    eager, captured = backend.RNG(0), backend.RNG(0)
    drawn, call = [backend.xp.zeros(5, "float32") for _ in range(draws)], backend.capture(step)
    for _ in range(4):
        call()
        for y in drawn:
            np.testing.assert_array_equal(backend.to_host(y), backend.to_host(eager.uniform((5,))))
    assert backend.to_host(captured.state_dict()["draws"]) == 4 * draws


@pytest.mark.parametrize("index", [
    np.s_[1:3], np.s_[:, 1:], np.s_[:, :, 2:3], np.s_[...], np.s_[..., 1:], np.s_[:, ::2], np.s_[1], np.s_[:, -2], (),
    np.s_[None, 1:2], np.s_[-2:], np.s_[0:0],
])  # fmt: skip
def test_scatter_equals_numpys(index):
    shape = (4, 3, 5)
    part = np.random.default_rng(0).standard_normal(np.zeros(shape)[index].shape)
    expected = np.zeros(shape)
    expected[index] = part
    y = backend.scatter(backend.to_device(part), index, shape)
    np.testing.assert_array_equal(backend.to_host(y), expected)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("sizes", [(2, 3), (1, 0, 4), (2,), (1,) * 30])
def test_concatenate_equals_numpys(sizes, axis):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(np.insert([3, 2], axis % 3, n)) for n in sizes]
    on_device = [backend.to_device(a) for a in arrays]
    for strided in (False, True):
        if strided:
            arrays, on_device = ([x[..., ::-1] for x in some] for some in (arrays, on_device))
        joined = backend.concatenate(on_device, axis)
        np.testing.assert_array_equal(backend.to_host(joined), np.concatenate(arrays, axis))


@pytest.mark.parametrize("shapes, axis", [([(2, 3), (1, 3)], 1), ([(2, 3), (2, 4, 1)], 0), ([(2, 3), (2, 3)], 2)])
def test_arrays_that_do_not_fit_are_not_concatenated(shapes, axis):
    with pytest.raises(ValueError):
        backend.concatenate([backend.xp.zeros(shape) for shape in shapes], axis)


def test_squared_norms_and_interpolate_equal_numpys():
    rng = np.random.default_rng(0)
    a, b, t = rng.standard_normal((3, 4, 2)), rng.standard_normal((3, 4, 2)), rng.random((3, 1, 1))
    on_device = [backend.to_device(x) for x in (a, b, t)]
    np.testing.assert_allclose(backend.to_host(backend.squared_norms(on_device[0])), (a**2).sum((1, 2)))
    np.testing.assert_allclose(backend.to_host(backend.interpolate(*on_device)), a + t * (b - a))
