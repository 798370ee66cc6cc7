"""The backward pass visits only tensors between output and inputs, frees memory, and refuses an outdated graph."""

import gc
import operator
import weakref

import numpy as np
import pytest

from tinygan import Tensor, autograd, backend, grad, no_grad
from tinygan.autograd import PRIMITIVES


def leaf(*values):
    return Tensor(backend.to_device(np.array(values, "float64")), requires_grad=True)


def values(tensor):
    return tensor.numpy().tolist()


def test_a_tensor_used_twice_gets_both_gradients():
    x = leaf(3.0)
    assert [values(g) for g in grad(x - x, [x])] == [[0.0]]
    assert [values(g) for g in grad(x / x, [x])] == [[0.0]]
    assert [values(g) for g in grad(x * x * x, [x])] == [[27.0]]


def test_a_shared_subexpression_is_visited_once_with_its_whole_gradient():
    a = leaf(1.0)
    b = a + a
    c = b + b
    assert values(grad(c, [a])[0]) == [4.0]


def test_a_chain_of_5000_operations_works_forwards_backwards_and_when_freed():
    x = leaf(1.0)
    y = x
    for _ in range(5000):
        y = y + 1.0
    assert values(grad(y, [x])[0]) == [1.0]


def test_a_leaf_used_5000_times_gets_all_its_gradients():
    x = leaf(1.0)
    y = x
    for _ in range(5000):
        y = y + x
    assert values(grad(y, [x])[0]) == [5001.0]


def test_only_tensors_between_output_and_inputs_are_visited(monkeypatch):
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (autograd.exp(w) * autograd.tanh(x)).sum()
    asked = []
    monkeypatch.setattr(PRIMITIVES["exp"], "vjp", lambda *args: asked.append("exp"))
    assert len(grad(y, [x])) == 1
    assert not asked


def test_gradients_of_an_input_and_of_an_intermediate_tensor_are_complete():
    x = leaf(2.0)
    h = x * 3.0
    y = h * h
    dx, dh = grad(y, [x, h])
    assert values(dx) == [36.0]
    assert values(dh) == [12.0]


def test_an_unused_input_is_an_error_unless_allowed():
    x, unused = leaf(1.0), leaf(1.0, 2.0)
    with pytest.raises(ValueError, match="input 1"):
        grad(x * 2.0, [x, unused])
    assert values(grad(x * 2.0, [x, unused], allow_unused=True)[1]) == [0.0, 0.0]


def test_an_output_of_several_elements_needs_a_grad_output_of_its_shape():
    x = leaf(1.0, 2.0)
    with pytest.raises(ValueError, match="grad_output"):
        grad(x * x, [x])
    with pytest.raises(ValueError, match="agree"):
        grad(x * x, [x], grad_output=leaf(1.0))
    assert values(grad(x * x, [x], grad_output=leaf(1.0, 10.0))[0]) == [2.0, 40.0]


def test_no_grad_records_no_nodes():
    x = leaf(1.0)
    with no_grad():
        y = x * x
    assert y.node is None and not y.requires_grad
    assert (x * x).requires_grad


def test_no_grad_lasts_until_the_end_of_the_outer_block():
    x = leaf(1.0)
    with no_grad():
        with no_grad():
            pass
        assert (x * x).node is None
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0  # noqa: B018
    assert (x * x).requires_grad


def test_a_detached_tensor_is_a_constant():
    x = leaf(3.0)
    assert (x.detach() * 2.0).node is None
    assert values(grad(x.detach() * x, [x])[0]) == [3.0]


def test_operations_on_constants_record_no_nodes():
    assert (Tensor([1.0]) * Tensor([2.0])).node is None


def test_a_second_backward_pass_over_a_freed_graph_raises():
    x = leaf(1.0)
    y = x * x * x
    grad(y, [x])
    with pytest.raises(RuntimeError, match="freed by an earlier grad"):
        grad(y, [x])
    y = x * x * x
    grad(y, [x], create_graph=True)
    assert values(grad(y, [x])[0]) == [3.0]
    assert "Tensor" in repr(y)


def test_an_update_in_place_between_forward_and_backward_is_an_error():
    w, x = leaf(2.0), leaf(1.0)
    y = w * x
    w.data += 1.0
    w.version += 1
    with pytest.raises(RuntimeError, match="updated in place"):
        grad(y, [x])


def test_a_graph_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = autograd.tanh(x) * x
        z = y.sum()
        reference = weakref.ref(y.data)
        gradients = grad(z, [x], create_graph=True)
        del y, z, gradients
        assert reference() is None
    finally:
        gc.enable()


def test_memory_falls_during_the_backward_pass():
    """Each activation is freed after its gradient has been passed on, even if the output is still used."""
    x = leaf(1.0)
    hidden = [x * 2.0]
    for _ in range(3):
        hidden.append(autograd.tanh(hidden[-1]))
    references = [weakref.ref(h.data) for h in hidden]
    y = hidden[-1] * 1.0
    del hidden
    grad(y, [x])
    assert not any(r() for r in references)


def test_python_scalars_do_not_change_the_dtype():
    for dtype in ("float32", "float64"):
        x = Tensor(backend.xp.ones((2, 2), dtype), requires_grad=True)
        y = ((2.0 * x - 1) / 3 + 1 / x) ** 2
        assert y.dtype == y.mean().dtype == grad(y.mean(), [x])[0].dtype == dtype


@pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.mul, operator.truediv, operator.matmul])
def test_an_operator_keeps_the_order_of_a_tensor_and_an_array_or_number(operation):
    a, b = np.array([[1.0, 2.0], [3.0, -4.0]]), np.array([[0.5, 1.0], [2.0, 7.0]])
    x, y = map(backend.to_device, (a, b))
    for left, right in ((Tensor(x), Tensor(y)), (Tensor(x), y), (x, Tensor(y))):
        np.testing.assert_allclose(operation(left, right).numpy(), operation(a, b), rtol=1e-15)
    if operation is not operator.matmul:
        np.testing.assert_allclose(operation(Tensor(y), 3.0).numpy(), operation(b, 3.0), rtol=1e-15)
        np.testing.assert_allclose(operation(3.0, Tensor(y)).numpy(), operation(3.0, b), rtol=1e-15)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_sums_and_means_have_numpys_values_and_shapes(name, axis, keepdims):
    x = np.arange(24.0).reshape(2, 3, 4)
    found = getattr(Tensor(backend.to_device(x)), name)(axis, keepdims)
    expected = getattr(x, name)(axis=axis, keepdims=keepdims)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("exponent, slopes", [(0, [0.0, 0.0]), (1, [1.0, 1.0]), (2, [0.0, 6.0])])
def test_powers_have_a_derivative_at_zero(exponent, slopes):
    x = leaf(0.0, 3.0)
    assert values(grad((x**exponent).sum(), [x])[0]) == slopes


def test_lists_and_numbers_become_float32():
    assert Tensor([1, 2]).dtype == Tensor(1.5).dtype == "float32"
    assert Tensor(backend.xp.float64(1.5)).dtype == "float64"


def test_a_foreign_array_is_refused_with_both_types_named():
    class Foreign:
        pass

    with pytest.raises(TypeError, match=rf"{backend.xp.__name__}.ndarray; got .*Foreign"):
        Tensor(Foreign())


def test_an_array_on_the_left_leaves_the_operation_to_the_tensor():
    y = backend.xp.ones(2) * leaf(1.0, 2.0)
    assert isinstance(y, Tensor) and values(y) == [1.0, 2.0]


def test_indexing_with_arrays_is_refused():
    with pytest.raises(TypeError, match="slices"):
        leaf(1.0, 2.0)[[0, 0]]


def test_sigmoid_and_softplus_are_exact_for_large_inputs():
    x = Tensor([-80.0, 80.0])
    np.testing.assert_allclose(autograd.sigmoid(x).numpy(), [np.exp(-80.0), 1.0], rtol=1e-5)
    np.testing.assert_allclose(autograd.softplus(x).numpy(), [np.exp(-80.0), 80.0], rtol=1e-5)


def test_leaky_relu_refuses_slopes_outside_0_to_1():
    for slope in (-0.1, 1.5):
        with pytest.raises(ValueError, match="slope"):
            autograd.leaky_relu(leaf(1.0), slope=slope)


def test_a_result_updated_in_place_is_refused_because_its_derivative_may_use_it():
    x = leaf(0.5)
    y = autograd.tanh(x)
    y.data[...] = 0.0
    y.version += 1
    with pytest.raises(RuntimeError, match="updated in place"):
        grad(y, [x])


def test_a_primitive_with_too_few_vjps_says_so_where_a_gradient_is_missing():
    @autograd.primitive
    def product(a, b):
        return a * b

    try:
        product.defvjp(lambda g, y, a, b: g * b)
        a, b = leaf(2.0), leaf(3.0)
        assert values(grad(product(a, b), [a])[0]) == [3.0]
        with pytest.raises(TypeError, match="product has 1 vjps"):
            grad(product(a, b), [a, b])
    finally:
        del PRIMITIVES["product"]
