"""Each operation gives PyTorch's values, and its first and second derivatives, on PyTorch's own sample inputs.

PyTorch tests itself with these samples (OpInfo in torch.testing._internal). They include scalars, empty axes,
broadcasting and strides. A sample is left out if it uses an option that tinygan lacks. Both sides compute in float64.
The tests need PyTorch.
"""

import numpy as np
import pytest
from torch_reference import assert_equal_to_second_order, torch

from tinygan import Tensor, backend, layers
from tinygan import autograd as ag

MOST = 30  # the number of samples of an operation that are compared, at most


class LeftOut(Exception):
    """Raised for a sample that uses an option which tinygan lacks."""


def need(condition):
    if not condition:
        raise LeftOut


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def channels_last(x):
    need(x.ndim == 4 and 0 not in x.shape)
    return x.transpose(0, 2, 3, 1)


def plus(y, bias):
    return (y if bias is None else y + bias).transpose(0, 3, 1, 2)


def conv2d(x, w, bias=None, stride=1, padding=0, dilation=1, groups=1):
    need(pair(dilation) == (1, 1) and groups == 1 and not isinstance(padding, str))
    y = ag.conv2d(channels_last(x), w.transpose(2, 3, 1, 0), stride=pair(stride), padding=pair(padding))
    return plus(y, bias)


def conv_transpose2d(x, w, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    need(pair(dilation) == (1, 1) and groups == 1)
    x, w = channels_last(x), w.transpose(2, 3, 1, 0)
    options = zip(x.shape[1:3], w.shape[:2], pair(stride), pair(padding), pair(output_padding))
    size = tuple((n - 1) * s - 2 * p + k + extra for n, k, s, p, extra in options)
    return plus(ag.conv_transpose2d(x, w, size=size, stride=pair(stride), padding=pair(padding)), bias)


def batch_norm(x, mean, var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    need(x.ndim > 1 and 0 not in x.shape and (mean is not None or training))
    channels, others = x.shape[1], range(2, x.ndim)
    layer = layers.BatchNorm(channels, momentum, eps).train(training).flatten("float64")
    layer.gamma, layer.beta = weight or layer.gamma, bias or layer.beta
    if mean is not None:
        layer.running_mean, layer.running_var = mean.data.copy(), var.data.copy()
    else:
        layer.running_mean, layer.running_var = (a.astype("float64") for a in (layer.running_mean, layer.running_var))
    return layer(x.transpose(0, *others, 1)).transpose(0, x.ndim - 1, *range(1, x.ndim - 1))


def binary(function):
    def call(a, b, alpha=1, rounding_mode=None):
        need(alpha == 1 and rounding_mode is None)
        return function(a, b)

    return call


def unary(function):
    def call(x):
        return function(x)

    return call


def softplus(x, beta=1, threshold=20):
    """PyTorch's softplus is linear where beta x is above the threshold, so such samples are left out."""
    need((x.data * beta <= threshold).all())
    return ag.softplus(x * beta) / beta


def linear(x, w, bias=None):
    need(x.ndim == 2)
    return x @ w.T if bias is None else x @ w.T + bias


def matmul(a, b):
    need(a.ndim == b.ndim == 2)
    return a @ b


def reduced(name):
    def call(x, dim=None, keepdim=False, dtype=None):
        need(dtype is None and (name == "sum" or x.size) and (x.ndim or dim is None))
        return getattr(x, name)(dim if dim is None or isinstance(dim, int) else tuple(dim) or None, keepdim)

    return call


def getitem(x, index):
    parts = index if isinstance(index, tuple) else (index,)
    need(all(isinstance(part, (int, slice)) or part is Ellipsis for part in parts))
    return x[index]


def cat(xs, dim=0):
    need(len({x.ndim for x in xs}) == 1 and all(x.size for x in xs))
    return ag.concatenate(*xs, axis=dim)


OPERATIONS = {  # name in PyTorch: tinygan's version
    "add": binary(ag.add), "sub": binary(ag.subtract), "mul": binary(ag.multiply), "div": binary(ag.divide),
    "square": lambda x: x**2, "reciprocal": lambda x: x**-1, "rsqrt": lambda x: x**-0.5,
    "neg": unary(ag.negative), "exp": unary(ag.exp), "log": unary(ag.log),
    "sqrt": unary(ag.sqrt), "tanh": unary(ag.tanh), "sigmoid": unary(ag.sigmoid), "nn.functional.softplus": softplus,
    "nn.functional.relu": unary(layers.ReLU()),
    "nn.functional.leaky_relu": lambda x, negative_slope=0.01: ag.leaky_relu(x, slope=negative_slope),
    "mm": matmul, "matmul": matmul, "nn.functional.linear": linear, "sum": reduced("sum"), "mean": reduced("mean"),
    "reshape": lambda x, shape: x.reshape(tuple(shape)), "t": lambda x: x.T,
    "permute": lambda x, axes: x.transpose(*axes),
    "broadcast_to": lambda x, shape: ag.broadcast_to(x, shape=tuple(shape)), "cat": cat, "__getitem__": getitem,
    "nn.functional.conv2d": conv2d, "nn.functional.conv_transpose2d": conv_transpose2d,
    "nn.functional.batch_norm": batch_norm,
}  # fmt: skip


@pytest.fixture(scope="module")
def infos():
    try:
        from torch.testing._internal.common_methods_invocations import op_db
    except ImportError as error:  # the module is private, and needs further packages
        pytest.skip(f"needs the sample inputs of PyTorch: {error}")
    return {info.name: info for info in op_db if info.variant_test_name in ("", "no_rounding_mode")}


def both(value, leaves):
    """Convert a value of a sample. Return (the value for tinygan, the value for PyTorch).

    A pair of tensors that require a gradient is also appended to `leaves`.
    """
    if torch.is_tensor(value):
        need(value.dtype == torch.float64)
        theirs = value.detach().clone().requires_grad_(value.requires_grad)
        ours = Tensor(backend.to_device(value.detach().numpy().copy()), requires_grad=value.requires_grad)
        if value.requires_grad:
            leaves.append((ours, theirs))
        return ours, theirs
    if isinstance(value, (list, tuple)):
        pairs = [both(each, leaves) for each in value]
        return tuple(type(value)(side) for side in (zip(*pairs) if pairs else ((), ())))
    return value, value


@pytest.mark.skipif(backend.device != "cpu", reason="PyTorch's tensors are on the CPU")
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_gives_pytorchs_values_and_derivatives(name, infos):
    host, compared = np.random.default_rng(0), 0
    for sample in infos[name].sample_inputs("cpu", torch.float64, requires_grad=True):
        leaves = []
        try:
            args, torch_args = both([sample.input, *sample.args], leaves)
            options, torch_options = both(list(sample.kwargs.values()), leaves)
            need(leaves)
            y = OPERATIONS[name](*args, **dict(zip(sample.kwargs, options)))
        except LeftOut:
            continue
        theirs = infos[name].op(*torch_args, **dict(zip(sample.kwargs, torch_options)))
        ours, references = (list(side) for side in zip(*leaves))
        assert_equal_to_second_order((y, ours), (theirs, references), host)
        compared += 1
        if compared == MOST:
            break
    assert compared, f"no sample of {name} fits"
