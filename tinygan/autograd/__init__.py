"""Reverse-mode differentiation: tensors, primitives with their derivatives, the backward pass, a gradient checker."""

from .activations import (  # noqa: I001
    add_bias, leaky_relu, leaky_relu_grad, mean_softplus, relu, sigmoid, softplus, tanh,
)  # fmt: skip
from .arithmetic import add, divide, exp, log, matmul, mean_square, multiply, negative, power, sqrt, subtract
from .backward import grad
from .check import GradientError, check_grads
from .convolution import conv2d, conv2d_weight_grad, conv_transpose2d
from .normalization import batch_norm
from .shapes import (
    all_reduce, broadcast_to, concatenate, getitem, reshape, scatter, squared_norms, sum_axes, sum_to, transpose,
)  # fmt: skip
from .tensor import PRIMITIVES, Primitive, Tensor, no_grad, primitive
