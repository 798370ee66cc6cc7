"""Convolution equals nested loops. The other two convolution operations are its derivatives."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygan import Tensor, autograd, backend
from tinygan.backend import cpu
from tinygan.backend.patches import patch_grid

patches_of = getattr(backend._device, "im2col", cpu.im2col)  # with Numba there is no im2col, so NumPy's is used

pytestmark = pytest.mark.usefixtures("kernels")
ODD = [  # image (H, W), kernel, stride, padding
    ((5, 7), (3, 2), (1, 1), (0, 0)),
    ((7, 4), (3, 3), (2, 1), (1, 2)),
    ((6, 6), (4, 4), (2, 2), (1, 1)),
    ((8, 5), (2, 3), (3, 2), (0, 1)),  # a stride larger than the kernel
    ((4, 4), (4, 4), (1, 1), (0, 0)),  # one patch
    ((3, 9), (1, 1), (2, 3), (0, 0)),  # some columns of the image are in no patch
]


def naive_conv2d(x, w, stride, padding):
    (n, h, width, _), (kh, kw, _, c_out) = x.shape, w.shape
    oh, ow = patch_grid((h, width), (kh, kw), stride, padding)
    y = np.zeros((n, oh, ow, c_out))
    for i, j, u, v in itertools.product(range(oh), range(ow), range(kh), range(kw)):
        row, column = i * stride[0] + u - padding[0], j * stride[1] + v - padding[1]
        if 0 <= row < h and 0 <= column < width:
            for image, a, b in itertools.product(range(n), range(x.shape[3]), range(c_out)):
                y[image, i, j, b] += x[image, row, column, a] * w[u, v, a, b]
    return y


def triple(size, kernel, stride, padding, rng, channels=(2, 3)):
    """Return random NumPy arrays: images x, filters w and responses g of matching shapes."""
    grid, (c_in, c_out) = patch_grid(size, kernel, stride, padding), channels
    return [rng.standard_normal(shape) for shape in ((2, *size, c_in), (*kernel, c_in, c_out), (2, *grid, c_out))]


def tensors(*arrays):
    return [Tensor(backend.to_device(a)) for a in arrays]


def assert_three_sums_are_equal(size, kernel, stride, padding, seed=0, channels=(2, 3)):
    """sum(g conv2d(x, w)) = sum(x conv_transpose2d(g, w)) = sum(w conv2d_weight_grad(x, g))"""
    x, w, g = triple(size, kernel, stride, padding, np.random.default_rng(seed), channels)
    tx, tw, tg = tensors(x, w, g)
    s = (g * autograd.conv2d(tx, tw, stride=stride, padding=padding).numpy()).sum()
    image = autograd.conv_transpose2d(tg, tw, size=size, stride=stride, padding=padding).numpy()
    filters = autograd.conv2d_weight_grad(tx, tg, kernel=kernel, stride=stride, padding=padding).numpy()
    assert image.shape == x.shape and filters.shape == w.shape
    assert (x * image).sum() == pytest.approx(s, abs=1e-9)
    assert (w * filters).sum() == pytest.approx(s, abs=1e-9)


@pytest.mark.parametrize("size, kernel, stride, padding", ODD)
def test_conv2d_equals_the_nested_loops(size, kernel, stride, padding):
    x, w, _ = triple(size, kernel, stride, padding, np.random.default_rng(0))
    y = autograd.conv2d(*tensors(x, w), stride=stride, padding=padding).numpy()
    np.testing.assert_allclose(y, naive_conv2d(x, w, stride, padding), atol=1e-12)


@pytest.mark.parametrize("size, kernel, stride, padding", ODD)
def test_the_other_two_operations_are_derivatives_of_the_nested_loops(size, kernel, stride, padding):
    """The number s = sum(g conv2d(x, w)) is linear in x and in w, so unit vectors give all its derivatives."""
    x, w, g = triple(size, kernel, stride, padding, np.random.default_rng(1))
    x, g = x[:1], g[:1]
    image, filters = np.zeros_like(x), np.zeros_like(w)
    for index in np.ndindex(*x.shape):
        unit = np.zeros_like(x)
        unit[index] = 1
        image[index] = (g * naive_conv2d(unit, w, stride, padding)).sum()
    for index in np.ndindex(*w.shape):
        unit = np.zeros_like(w)
        unit[index] = 1
        filters[index] = (g * naive_conv2d(x, unit, stride, padding)).sum()
    tx, tw, tg = tensors(x, w, g)
    where = dict(stride=stride, padding=padding)
    np.testing.assert_allclose(autograd.conv_transpose2d(tg, tw, size=size, **where).numpy(), image, atol=1e-12)
    np.testing.assert_allclose(autograd.conv2d_weight_grad(tx, tg, kernel=kernel, **where).numpy(), filters, atol=1e-12)


geometry = st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3)).filter(
    lambda g: g[0] + 2 * g[3] >= g[1]
)


@settings(max_examples=150, deadline=None)
@given(geometry, geometry, st.integers(0, 2**32 - 1))
def test_the_three_operations_are_derivatives_of_one_sum(vertical, horizontal, seed):
    size, kernel, stride, padding = zip(vertical, horizontal)
    assert_three_sums_are_equal(size, kernel, stride, padding, seed)


@pytest.mark.parametrize("channels", [(32, 64), (64, 32), (70, 1), (1, 70), (33, 17)], ids=str)
@pytest.mark.parametrize("kernel, stride, padding", [(1, 1, 0), (2, 2, 0), (4, 4, 0), (3, 2, 1), (4, 2, 1), (2, 3, 1)])
def test_the_three_operations_are_derivatives_of_one_sum_with_many_channels(kernel, stride, padding, channels):
    assert_three_sums_are_equal((6, 8), *((n, n) for n in (kernel, stride, padding)), channels=channels)


@settings(max_examples=150, deadline=None)
@given(geometry, geometry, st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_conv_transpose2d_is_the_adjoint_of_making_patches(vertical, horizontal, channels, seed):
    size, kernel, stride, padding = zip(vertical, horizontal)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, *size, channels))
    columns = patches_of(backend.to_device(x), kernel, stride, padding)
    c = rng.standard_normal(columns.shape)
    each = backend.to_device(np.eye(columns.shape[1]).reshape(*kernel, channels, -1))  # each filter has a single 1
    responses = backend.to_device(c.reshape(2, *patch_grid(size, kernel, stride, padding), -1))
    image = backend.conv_transpose2d(responses, each, size, stride, padding)
    assert (backend.to_host(columns) * c).sum() == pytest.approx((x * backend.to_host(image)).sum(), abs=1e-9)


@pytest.mark.parametrize("padding", [(0, 0), (1, 2)])
def test_patches_of_a_view_are_those_of_its_copy(padding):
    x = backend.to_device(np.random.default_rng(0).standard_normal((2, 5, 6, 3))).transpose(0, 2, 1, 3)
    view, copy = (patches_of(a, (3, 2), (1, 2), padding) for a in (x, x.copy()))
    np.testing.assert_array_equal(backend.to_host(view), backend.to_host(copy))


def test_a_filter_larger_than_the_image_is_refused():
    x, w = tensors(np.ones((1, 2, 2, 1)), np.ones((3, 3, 1, 1)))
    with pytest.raises(ValueError, match="does not fit"):
        autograd.conv2d(x, w)


def test_an_impossible_output_size_is_refused():
    g, w = tensors(np.ones((1, 2, 2, 1)), np.ones((3, 3, 1, 1)))
    with pytest.raises(ValueError, match="do not give responses of shape \\(1, 2, 2, 1\\)"):
        autograd.conv_transpose2d(g, w, size=(9, 9))
