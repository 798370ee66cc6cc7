"""Each operation gives the outputs of ONNX's own node tests.

A case is left out if it uses an option that tinygan lacks: dilation, groups, uneven padding, another dtype. ONNX's
images have their channels first. The tests need the package onnx.
"""

import importlib

import numpy as np
import pytest

from tinygan import Tensor, backend, layers
from tinygan import autograd as ag
from tinygan.extras import pip_install

onnx = pytest.importorskip("onnx", reason=f"needs the package onnx: {pip_install('onnx')}")
from onnx.backend.test.case import node as cases  # noqa: E402

MODULES = (
    "add batch_normalization concat conv convtranspose div exp expand flatten gemm leakyrelu log matmul max mul neg "
    "pow reciprocal reducemean reducesum relu reshape sigmoid softplus sqrt sub tanh transpose"
).split()


class LeftOut(Exception):
    """Raised for a case that uses an option which tinygan lacks."""


def need(condition):
    if not condition:
        raise LeftOut


def image(x):
    need(x.ndim == 4)
    return x.transpose(0, 2, 3, 1)


def window(w, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1, auto_pad="NOTSET", kernel_shape=None):
    """Return stride and padding of a convolution, two numbers each."""
    need(w.ndim == 4 and group == 1 and set(dilations) == {1} and auto_pad in ("NOTSET", "VALID"))
    need(tuple(pads[:2]) == tuple(pads[2:]))
    return {"stride": tuple(strides), "padding": tuple(pads[:2])}


def plus(y, bias):
    return (y if bias is None else y + bias).transpose(0, 3, 1, 2)


def conv(x, w, bias=None, **attributes):
    where = window(w, **attributes)
    return plus(ag.conv2d(image(x), w.transpose(2, 3, 1, 0), **where), bias)


def conv_transpose(x, w, bias=None, output_padding=(0, 0), output_shape=None, **attributes):
    need(output_shape is None)
    where = window(w, **attributes)
    steps = zip(x.shape[2:], w.shape[2:], where["stride"], where["padding"], output_padding)
    size = tuple((n - 1) * s - 2 * p + k + extra for n, k, s, p, extra in steps)
    return plus(ag.conv_transpose2d(image(x), w.transpose(2, 3, 1, 0), size=size, **where), bias)


def batch_norm(x, gamma, beta, mean, var, epsilon=1e-5, momentum=0.9, training_mode=0):
    """Return only y. The running variance is not compared: ONNX's is biased, and tinygan's is not."""
    need(x.ndim > 1)
    layer = layers.BatchNorm(x.shape[1], 1 - momentum, epsilon).train(bool(training_mode))
    layer.gamma, layer.beta, layer.running_mean, layer.running_var = gamma, beta, mean.data.copy(), var.data.copy()
    others = range(2, x.ndim)
    return layer(x.transpose(0, *others, 1)).transpose(0, x.ndim - 1, *range(1, x.ndim - 1))


def gemm(a, b, c=None, alpha=1.0, beta=1.0, transA=0, transB=0):
    y = ((a.T if transA else a) @ (b.T if transB else b)) * alpha
    return y if c is None else y + c * beta


def matmul(a, b):
    need(a.ndim == b.ndim == 2)
    return a @ b


def power(x, p):
    need(isinstance(p, Tensor) and p.size == 1)
    return x ** p.item()


def reduced(name):
    def call(x, axes=None, keepdims=1, noop_with_empty_axes=0):
        axes = None if axes is None or not len(axes) else tuple(map(int, axes))
        need(axes or not noop_with_empty_axes)
        return getattr(x, name)(axes, bool(keepdims))

    return call


def reshape(x, shape, allowzero=0):
    need(0 not in shape)
    return x.reshape(*map(int, shape))


def expand(x, shape):
    return ag.broadcast_to(x, shape=np.broadcast_shapes(x.shape, tuple(map(int, shape))))


def flatten(x, axis=1):
    need(axis == 1)
    return layers.Flatten()(x)


def concatenate(*xs, axis):
    return ag.concatenate(*xs, axis=axis)


OPERATORS = {
    "Add": ag.add, "BatchNormalization": batch_norm, "Concat": concatenate, "Conv": conv,
    "ConvTranspose": conv_transpose, "Div": ag.divide, "Exp": ag.exp, "Expand": expand, "Flatten": flatten,
    "Gemm": gemm, "LeakyRelu": lambda x, alpha=0.01: ag.leaky_relu(x, slope=alpha), "Log": ag.log, "MatMul": matmul,
    "Mul": ag.multiply, "Neg": ag.negative, "Pow": power, "Reciprocal": lambda x: x**-1,
    "ReduceMean": reduced("mean"), "ReduceSum": reduced("sum"), "Relu": layers.ReLU(), "Reshape": reshape,
    "Sigmoid": ag.sigmoid, "Softplus": ag.softplus, "Sqrt": ag.sqrt, "Sub": ag.subtract, "Tanh": ag.tanh,
    "Transpose": lambda x, perm=None: x.transpose(*(perm or range(x.ndim)[::-1])),
}  # fmt: skip


@pytest.fixture(scope="module")
def collected():
    """Return {operator: its cases}. Cases whose model has several nodes are left out."""
    for name in MODULES:  # importing a module adds its cases to cases._NodeTestCases
        importlib.import_module(f"onnx.backend.test.case.node.{name}")
    found = {name: [] for name in OPERATORS}
    for case in cases._NodeTestCases:
        if len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in found:
            found[case.model.graph.node[0].op_type].append(case)
    return found


def argument(array):
    """Return floats as a Tensor, and integers unchanged, because they are axes and shapes."""
    array = np.asarray(array)
    need(array.dtype in ("float32", "float64", "int64"))
    return Tensor(backend.to_device(array)) if array.dtype != "int64" else array


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operation_gives_onnxs_outputs(name, collected):
    compared = 0
    for case in collected[name]:
        node = case.model.graph.node[0]
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        attributes = {key: value.decode() if isinstance(value, bytes) else value for key, value in attributes.items()}
        for inputs, outputs in case.data_sets:
            try:
                y = OPERATORS[name](*map(argument, inputs), **attributes)
            except LeftOut:
                continue
            expected = np.asarray(outputs[0])
            assert y.shape == expected.shape, case.name
            np.testing.assert_allclose(y.numpy(), expected, rtol=1e-4, atol=1e-5, err_msg=case.name)
            compared += 1
    assert compared, f"no case of {name} fits: {[case.name for case in collected[name]]}"
