"""tinygan: a reverse-mode autograd engine on NumPy or CuPy, and the GANs it trains."""

from . import autograd, backend
from .autograd import Tensor, check_grads, grad, no_grad, primitive
from .backend import tune, use

__all__ = ["Tensor", "autograd", "backend", "check_grads", "grad", "no_grad", "primitive", "tune", "use"]
