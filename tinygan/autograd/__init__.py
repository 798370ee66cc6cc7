"""Reverse-mode differentiation: tensors, primitives with their derivatives, the backward pass, a gradient checker."""

from .activations import bias_leaky_relu, leaky_relu, leaky_relu_grad, relu, sigmoid, softplus, tanh  # noqa: I001
from .arithmetic import add, divide, exp, log, matmul, multiply, negative, power, sqrt, subtract
from .backward import grad
from .check import GradientError, check_grads
from .composed import Composed, composed
from .convolution import conv2d, conv2d_weight_grad, conv_transpose2d
from .normalization import batch_norm
from .shapes import (
    all_reduce, broadcast_to, concatenate, getitem, reshape, scatter, sum_axes, sum_to, transpose,
)  # fmt: skip
from .tensor import PRIMITIVES, Primitive, Tensor, no_grad, primitive, record
