"""Derivatives are right at random shapes and parameters, which hypothesis draws. Every operation keeps the dtype.

For a wrong derivative, the error names the operation, the argument, the index, the seed, the computed value and the
finite difference. Hypothesis prints the smallest shapes that it finds with this error.
"""

import functools
import math

import numpy as np
import pytest
from cases import CASES, batch_norm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import broadcastable_shapes

from tinygan import Tensor, autograd, backend, check_grads, grad
from tinygan.backend.patches import patch_grid

EXAMPLES = settings(max_examples=25, deadline=None)
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
seeds = st.integers(0, 2**32 - 1)
axis = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2)).filter(
    lambda a: a[0] + 2 * a[3] >= a[1]
)


def away(rng, shape):
    """Return values of both signs, with absolute values from 0.5 to 2: away from kinks and poles."""
    return rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)


@EXAMPLES
@given(st.sampled_from(["add", "subtract", "multiply", "divide"]), shapes, st.data(), seeds)
def test_derivatives_of_arithmetic_with_broadcasting_are_right(name, shape, data, seed):
    other = data.draw(broadcastable_shapes(shape, max_dims=3, max_side=3))
    rng = np.random.default_rng(seed)
    check_grads(getattr(autograd, name), [away(rng, shape), away(rng, other)], seed=seed, name=name)


@EXAMPLES
@given(st.sampled_from(["exp", "tanh", "sigmoid", "softplus", "negative"]), shapes, seeds)
def test_derivatives_of_functions_of_one_argument_are_right(name, shape, seed):
    check_grads(getattr(autograd, name), [away(np.random.default_rng(seed), shape)], seed=seed, name=name)


@EXAMPLES
@given(shapes.filter(len), st.data(), st.booleans(), seeds)
def test_derivatives_of_sums_over_any_axes_are_right(shape, data, keepdims, seed):
    axes = tuple(data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True)))
    x = np.random.default_rng(seed).standard_normal(shape)
    check_grads(lambda x: x.sum(axes, keepdims) * 2.0, [x], seed=seed, name=f"sum over {axes}")


@EXAMPLES
@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), seeds)
def test_derivatives_of_matrix_products_are_right(m, k, n, seed):
    rng = np.random.default_rng(seed)
    check_grads(
        lambda a, b: a.T @ b, [rng.standard_normal((k, m)), rng.standard_normal((k, n))], seed=seed, name="a^T b"
    )


@EXAMPLES
@given(st.sampled_from(["conv2d", "conv_transpose2d", "conv2d_weight_grad"]), axis, axis, st.integers(1, 2), seeds)
def test_derivatives_of_the_three_convolution_operations_are_right(name, vertical, horizontal, channels, seed):
    size, kernel, stride, padding = zip(vertical, horizontal)
    rng, where = np.random.default_rng(seed), dict(stride=stride, padding=padding)
    x = rng.standard_normal((2, *size, channels))
    w = rng.standard_normal((*kernel, channels, 2))
    g = rng.standard_normal((2, *patch_grid(size, kernel, stride, padding), 2))
    assume(max(map(np.size, (x, w, g))) < 100)  # for speed: each element needs two evaluations
    function, inputs = {
        "conv2d": (lambda x, w: autograd.conv2d(x, w, **where), [x, w]),
        "conv_transpose2d": (lambda g, w: autograd.conv_transpose2d(g, w, size=size, **where), [g, w]),
        "conv2d_weight_grad": (lambda x, g: autograd.conv2d_weight_grad(x, g, kernel=kernel, **where), [x, g]),
    }[name]
    check_grads(function, inputs, seed=seed, name=name)


@EXAMPLES
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(1, 3), st.floats(1e-5, 1.0), seeds)
def test_derivatives_of_batch_norm_are_right(rows, channels, eps, seed):
    assume(math.prod(rows) >= 3)  # with two values, the outputs are nearly -1 and 1 for any x
    rng = np.random.default_rng(seed)
    # the rows differ by about 2, so that no channel has a small variance
    x = rng.standard_normal((*rows, channels)) + 2 * np.arange(math.prod(rows)).reshape(*rows, 1)
    inputs = [x, rng.standard_normal(channels), rng.standard_normal(channels)]
    check_grads(functools.partial(batch_norm, eps=eps), inputs, seed=seed, name="batch_norm")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_every_primitive_and_its_derivatives_keep_the_dtype(name, dtype):
    for function, inputs in CASES[name]:
        xs = [Tensor(backend.to_device(np.asarray(x, dtype)), requires_grad=True) for x in inputs]
        y = function(*xs)
        first = grad(y, xs, create_graph=True, grad_output=backend.xp.ones(y.shape, dtype), allow_unused=True)
        total = sum((g * g).sum() for g in first)
        second = grad(total, xs, allow_unused=True) if total.node else []
        assert {str(t.dtype) for t in (y, *first, *second)} == {dtype}
