"""First and second derivatives of each primitive equal finite differences, and the checker finds planted errors."""

from functools import partial

import numpy as np
import pytest
from cases import CASES, batch_norm, r

from tinygan import autograd, backend, check_grads, grad
from tinygan.autograd import PRIMITIVES, Composed, GradientError, Primitive, Tensor

pytestmark = pytest.mark.usefixtures("kernels")
ALL = [pytest.param(fn, xs, id=f"{name}-{i}") for name in CASES for i, (fn, xs) in enumerate(CASES[name])]
TO_THIRD_ORDER = ("conv2d", "conv_transpose2d", "conv2d_weight_grad", "batch_norm", "bias_leaky_relu")


def unchecked():
    return PRIMITIVES.keys() - CASES.keys()


def leaf(array):
    return Tensor(backend.to_device(np.array(array)), requires_grad=True)


def calls_of(function, inputs):
    """Return the names of the primitives that a function calls."""
    found, stack = set(), [function(*(leaf(x) for x in inputs))]
    while stack:
        tensor = stack.pop()
        if tensor.node:
            found.add(tensor.node.primitive.__name__)
            stack.extend(a for a in tensor.node.args if isinstance(a, Tensor))
    return found


@pytest.fixture
def planted():
    """Return the class Primitive, with which a test registers wrong primitives. They are removed after the test."""
    before = dict(PRIMITIVES)
    yield Primitive
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


@pytest.mark.parametrize("function, inputs", ALL)
def test_first_and_second_derivatives_match_finite_differences(function, inputs):
    check_grads(function, inputs, order=2)


TWO_TILES = {  # results of two tiles of rows, and of two in a row, of Numba's kernels
    "matmul": (autograd.matmul, [(13, 9), (9, 40)]),
    "conv2d": (autograd.conv2d, [(2, 3, 3, 2), (2, 2, 2, 40)]),
    "conv_transpose2d": (partial(autograd.conv_transpose2d, size=(3, 3)), [(2, 2, 2, 2), (2, 2, 40, 2)]),
    "conv_transpose2d 1x1": (partial(autograd.conv_transpose2d, size=(2, 3)), [(2, 2, 3, 9), (1, 1, 40, 9)]),
    "conv2d_weight_grad": (partial(autograd.conv2d_weight_grad, kernel=(2, 2)), [(1, 3, 3, 2), (1, 2, 2, 40)]),
}


@pytest.mark.parametrize("name", TWO_TILES)
def test_derivatives_of_products_that_fill_two_tiles_match_finite_differences(name, monkeypatch):
    if backend.kernels() == "numba":
        monkeypatch.setattr("tinygan.backend.compiled.products.PRODUCT", 0)  # tiles for small matrices too
    function, shapes = TWO_TILES[name]
    check_grads(function, [r(*shape) for shape in shapes], order=2, name=name)


@pytest.mark.parametrize("name", TO_THIRD_ORDER)
def test_third_derivatives_match_finite_differences(name):
    function, inputs = CASES[name][0]
    check_grads(function, inputs, order=3)


def test_every_primitive_has_cases():
    assert not unchecked()


def test_every_case_calls_its_primitive():
    for name, cases in CASES.items():
        assert all(name in calls_of(function, inputs) for function, inputs in cases), name


def test_a_primitive_without_cases_is_found(planted):
    def brand_new(x):
        return x

    planted(brand_new)
    assert unchecked() == {"brand_new"}


def test_fused_batch_norm_equals_the_composed_formula_to_third_order():
    def composed(x, gamma, beta):
        centred = x - x.mean(0)
        return gamma * centred * ((centred * centred).mean(0) + 1e-3) ** -0.5 + beta

    def derivatives(function, xs, order):
        """Compute y, replace it `order` times by the sum of squares of its gradients, and return it as a number."""
        y = (function(*xs) ** 3).sum()
        for _ in range(order):
            gradients = grad(y, xs, create_graph=True, allow_unused=True)
            y = sum((g * g).sum() for g in gradients)
        return y.item()

    arrays = [r(4, 2), r(2), r(2)]
    for order in (0, 1, 2, 3):
        values = [derivatives(f, [leaf(a) for a in arrays], order) for f in (batch_norm, composed)]
        assert values[0] == pytest.approx(values[1], rel=1e-9), order


COMPOSED = [name for name, primitive in PRIMITIVES.items() if isinstance(primitive, Composed)]
SHAPES = (32, 256), (32, 7, 7, 64), (16, 14, 14, 32), (1, 3), (5, 2, 3, 7)  # of layers in the presets, and odd ones
OPTIONS = {"batch_norm": [{"eps": 1e-5, "slope": a} for a in (0.0, 0.2, 1.0)]}


def test_there_are_options_for_each_composed_operation():
    assert OPTIONS.keys() == set(COMPOSED)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", COMPOSED)
def test_the_fast_version_of_a_composed_operation_equals_its_formula(name, shape):
    """The value, and the first gradient of each argument alone and of all of them, in float64."""
    operation, draw = PRIMITIVES[name], np.random.default_rng(0).standard_normal
    arrays = [draw(shape), *(draw(shape[-1]) for _ in range(2 if name == "batch_norm" else 1))]
    g = backend.to_device(draw(shape))
    if shape[0] == 1 and name == "batch_norm":
        pytest.skip("a single value has no variance")
    moments = {"moments": backend.mean_and_variance(backend.to_device(arrays[0]))} if name == "batch_norm" else {}
    for options in ({**moments, **each} for each in OPTIONS[name]):
        for wanted in (*([i] for i in range(len(arrays))), range(len(arrays))):
            xs = [Tensor(backend.to_device(a), requires_grad=i in wanted) for i, a in enumerate(arrays)]
            results = []
            for function in (operation, operation.formula):
                y = function(*xs, **options)
                results.append([y, *grad(y, [xs[i] for i in wanted], grad_output=g)])
            for fast, formula in zip(*results):
                np.testing.assert_allclose(fast.numpy(), formula.numpy(), rtol=1e-9, atol=1e-9)


def wrong_factor(planted):
    def op(x):
        return x * x

    op = planted(op)
    op.defvjp(lambda g, y, x: g * x * 2.02)
    return op, [r(3)], 1


def wrong_sign(planted):
    def op(x):
        return -x

    op = planted(op)
    op.defvjp(lambda g, y, x: g)
    return op, [r(3)], 1


def missing_broadcast_sum(planted):
    def op(a, b):
        return a + b

    op = planted(op)
    op.defvjp(lambda g, y, a, b: g, lambda g, y, a, b: g)
    return op, [r(2, 3), r(3)], 1


def constant_where_a_derivative_should_flow(planted):
    def op(x):
        return x**3

    op = planted(op)
    op.defvjp(lambda g, y, x: g * (3 * x * x).detach())
    return op, [r(3)], 2


def constant_gradient_of_the_output(planted):
    def op(x):
        return x * 2.0

    op = planted(op)
    op.defvjp(lambda g, y, x: g.detach() * 2.0)
    return op, [r(3)], 2


def wrong_in_the_second_derivative_only(planted):
    def slope(x):
        return 2 * x

    def op(x):
        return x * x

    slope, op = planted(slope), planted(op)
    slope.defvjp(lambda g, y, x: g * 2.002)
    op.defvjp(lambda g, y, x: g * slope(x))
    return op, [r(3)], 2


def saved_statistics_as_constants(planted):
    def op(x):
        return x - x.mean()

    op = planted(op)
    op.defvjp(lambda g, y, x: g)
    return op, [r(3)], 1


@pytest.mark.parametrize(
    "error",
    [
        wrong_factor,
        wrong_sign,
        missing_broadcast_sum,
        constant_where_a_derivative_should_flow,
        constant_gradient_of_the_output,
        wrong_in_the_second_derivative_only,
        saved_statistics_as_constants,
    ],
)
def test_a_planted_error_is_found_at_its_order_of_derivative(error, planted):
    op, inputs, order = error(planted)
    if order > 1:
        check_grads(op, inputs, order=order - 1)
    with pytest.raises(GradientError, match=f"order {order}"):
        check_grads(op, inputs, order=order)


def test_a_failure_names_op_argument_index_both_values_and_seed(planted):
    op, inputs, _ = wrong_factor(planted)
    with pytest.raises(GradientError) as error:
        check_grads(op, inputs, seed=7)
    message = str(error.value)
    for part in ("op", "argument 0", "index (", "computed", "finite differences", "seed 7"):
        assert part in message


def test_a_derivative_of_nan_is_found(planted):
    def op(x):
        return x * 1.0

    op = planted(op)
    op.defvjp(lambda g, y, x: g * float("nan"))
    with pytest.raises(GradientError):
        check_grads(op, [r(2)])


def test_a_random_function_is_refused():
    noise = np.random.default_rng(0)
    with pytest.raises(ValueError, match="fix its random numbers first"):
        check_grads(lambda x: x * noise.standard_normal(), [r(2)])


def test_a_function_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        check_grads(lambda x: x * float("inf"), [r(2)])
