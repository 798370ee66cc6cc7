"""CASES has sample inputs for each primitive: {name: [(function of Tensors, input arrays), ...]}.

The inputs cover broadcasting, axes of size zero and one, negative values, and transposed and strided views. The views
are made inside the functions, because the checker copies its inputs. No input is at the kink of leaky_relu, where it
has no derivative. test_gradients.py fails if a primitive has no case.
"""

import numpy as np

from tinygan import autograd as ag
from tinygan import backend
from tinygan.gan.augment import roll

_rng = np.random.default_rng(1)


def r(*shape):
    return _rng.standard_normal(shape)


def away(*shape):
    """Return random values of both signs, at least 0.2 away from zero."""
    return np.sign(r(*shape)) * (0.2 + np.abs(r(*shape)))


def positive(*shape):
    return 0.5 + np.abs(r(*shape))


def batch_norm(x, gamma, beta, slope=1.0, eps=1e-3):
    return ag.batch_norm(x, gamma, beta, moments=backend.mean_and_variance(x.data), eps=eps, slope=slope)


def leaky_relu_grad(x):
    y = np.array([[1.0, -2.0, 0.0], [-0.5, 3.0, 0.1]], x.dtype)
    return ag.leaky_relu_grad(x, backend.to_device(y), slope=0.2)


def rolled(x):
    return roll(x, up=backend.to_device(np.array([1, -2])), left=backend.to_device(np.array([0, 4])))


BROADCAST = [
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((), (2, 3)),
    ((1, 1), ()),
    ((0, 3), (3,)),
    ((2, 1, 3), (4, 1)),
]
UNARY = [(2, 3), (), (1,), (0, 2), (2, 1, 3)]


def binary(op, left=r, right=r):
    pairs = [(op, [left(*a), right(*b)]) for a, b in BROADCAST]
    views = [(lambda a, b: op(a.T, b[::2, 1:]), [left(3, 2), right(4, 4)])]
    scalars = [(lambda a: op(a, 1.5), [left(2, 3)]), (lambda b: op(-0.7 if left is r else 0.7, b), [right(2, 3)])]
    return pairs + views + scalars


def unary(op, draw=r):
    return [(op, [draw(*shape)]) for shape in UNARY] + [(lambda x: op(x.T[1:]), [draw(2, 3)])]


def images(op, *configurations):
    return [
        (lambda *xs, options=options: op(*xs, **options), [r(*shape) for shape in shapes])
        for shapes, options in configurations
    ]


CASES = {
    "add": binary(ag.add),
    "subtract": binary(ag.subtract),
    "multiply": binary(ag.multiply),
    "divide": binary(ag.divide, right=away),
    "negative": unary(ag.negative),
    "power": [
        *[(lambda x, p=p: x**p, [away(2, 3)]) for p in (0, 1, 2, 3, -1, -2)],
        *[(lambda x, p=p: x**p, [positive(2, 3)]) for p in (0.5, -0.5, 2.5)],
        (lambda x: x**2, [np.zeros(2)]),
        *unary(lambda x: x**3),
    ],
    "exp": unary(ag.exp),
    "log": unary(ag.log, positive),
    "sqrt": unary(ag.sqrt, positive),
    "tanh": unary(ag.tanh),
    "sigmoid": [*unary(ag.sigmoid), (ag.sigmoid, [np.array([-30.0, 0.0, 30.0])])],
    "softplus": [*unary(ag.softplus), (ag.softplus, [np.array([-30.0, 0.5, 30.0])])],
    "roll": [(rolled, [r(2, 4, 3, 2)])],
    "leaky_relu": [
        *[(lambda x, a=a: ag.leaky_relu(x, slope=a), [away(2, 3)]) for a in (0.0, 0.2, 1.0)],
        *unary(lambda x: ag.leaky_relu(x, slope=0.1), away),
    ],
    "bias_leaky_relu": [
        (lambda x, b, a=a: ag.bias_leaky_relu(x, b, slope=a), [away(*shape), 0.1 * r(shape[-1])])
        for shape in ((2, 3), (2, 1, 3), (0, 2), (3, 1))
        for a in (0.0, 0.2, 1.0)
    ],
    "leaky_relu_grad": [(leaky_relu_grad, [r(2, 3)])],
    "matmul": [
        *[
            (ag.matmul, [r(*a), r(*b)])
            for a, b in [((2, 3), (3, 4)), ((1, 1), (1, 1)), ((0, 2), (2, 3)), ((2, 0), (0, 3))]
        ],
        (lambda a, b: a.T @ b[::2], [r(2, 3), r(4, 2)]),
    ],
    "sum_to": [(lambda x, s=s: ag.sum_to(x, shape=s), [r(2, 3, 4)]) for s in [(4,), (1, 4), (2, 1, 4), (), (2, 3, 4)]],
    "broadcast_to": [
        (lambda x, s=s: ag.broadcast_to(x, shape=s), [r(*start)])
        for start, s in [((3,), (2, 3)), ((2, 1), (2, 3)), ((), (2,)), ((1, 3), (0, 3))]
    ],
    "sum_axes": [
        *[(lambda x, a=a, k=k: x.sum(a, k), [r(2, 1, 3)]) for a in (None, 0, -1, (0, 2), (1,)) for k in (True, False)],
        *[(lambda x, a=a: x.mean(a), [r(2, 1, 3)]) for a in (None, 1, -1, (0, 2))],
        (lambda x: x.sum(0), [r(0, 3)]),
        (lambda x: x.T.sum(0), [r(2, 3)]),
    ],
    "reshape": [
        (lambda x: x.reshape(3, 2), [r(2, 3)]),
        (lambda x: x.reshape(-1), [r(2, 1, 3)]),
        (lambda x: x.T.reshape((6, 1)), [r(2, 3)]),
    ],
    "transpose": [
        (lambda x: x.T, [r(2, 3)]),
        (lambda x: x.transpose(1, 2, 0), [r(2, 3, 4)]),
        (lambda x: x.transpose(-1, 0, 1), [r(2, 1, 3)]),
    ],
    "getitem": [
        (lambda x, i=i: x[i], [r(4, 3)])
        for i in (0, slice(1, 3), slice(None, None, 2), slice(None, None, -1), (..., 1), (slice(1), None), (2, -1))
    ],
    "scatter": [
        (lambda x: ag.scatter(x, index=(slice(1, 3),), shape=(4, 3)), [r(2, 3)]),
        (lambda x: ag.scatter(x, index=(slice(None), 1), shape=(2, 3)), [r(2)]),
    ],
    "concatenate": [
        (lambda a, b: ag.concatenate(a, b, axis=0), [r(2, 3), r(1, 3)]),
        (lambda a, b, c: ag.concatenate(a, b, c, axis=-1), [r(2, 1), r(2, 0), r(2, 3)]),
        (lambda a: ag.concatenate(a, a, axis=1), [r(2, 2)]),
    ],
    "conv2d": images(
        ag.conv2d,
        (((2, 4, 4, 2), (3, 3, 2, 2)), {}),
        (((1, 5, 6, 1), (3, 2, 1, 2)), dict(stride=(2, 1), padding=(1, 0))),
        (((2, 4, 4, 1), (4, 4, 1, 2)), dict(stride=(2, 2), padding=(1, 1))),
        (((1, 5, 5, 2), (1, 1, 2, 1)), dict(stride=(3, 2))),
        (((1, 6, 5, 1), (2, 2, 1, 1)), dict(stride=(3, 3), padding=(1, 0))),
        (((0, 4, 4, 1), (3, 3, 1, 2)), {}),
    ),
    "conv_transpose2d": images(
        ag.conv_transpose2d,
        (((2, 2, 2, 2), (3, 3, 2, 2)), dict(size=(4, 4))),
        (((1, 2, 3, 2), (3, 2, 1, 2)), dict(size=(4, 4), stride=(2, 1), padding=(1, 0))),
        (((1, 2, 2, 2), (4, 4, 1, 2)), dict(size=(4, 4), stride=(2, 2), padding=(1, 1))),
        (((1, 2, 2, 2), (3, 3, 1, 2)), dict(size=(6, 5), stride=(2, 2))),
        (((1, 2, 2, 1), (2, 2, 1, 1)), dict(size=(6, 5), stride=(3, 3))),
        (((0, 2, 2, 2), (3, 3, 1, 2)), dict(size=(4, 4))),
    ),
    "conv2d_weight_grad": images(
        ag.conv2d_weight_grad,
        (((2, 4, 4, 2), (2, 2, 2, 2)), dict(kernel=(3, 3))),
        (((1, 5, 6, 1), (1, 3, 5, 2)), dict(kernel=(3, 2), stride=(2, 1), padding=(1, 0))),
        (((2, 4, 4, 1), (2, 2, 2, 2)), dict(kernel=(4, 4), stride=(2, 2), padding=(1, 1))),
        (((1, 6, 5, 1), (1, 2, 2, 1)), dict(kernel=(2, 2), stride=(3, 3))),
        (((0, 4, 4, 1), (0, 2, 2, 2)), dict(kernel=(3, 3))),
    ),
    "batch_norm": [
        (batch_norm, [r(5, 3), r(3), r(3)]),
        (batch_norm, [3 + r(2, 2, 3, 2), r(2), r(2)]),
        (batch_norm, [r(2, 1), r(1), r(1)]),
        *[(lambda *xs, a=a: batch_norm(*xs, slope=a), [r(4, 2), positive(2), r(2)]) for a in (0.0, 0.2)],
    ],
    "all_reduce": [(ag.all_reduce, [np.arange(n) - 1.5]) for n in (0, 1, 4)],  # one process: y = x
}  # fmt: skip
