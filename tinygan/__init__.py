"""tinygan: a reverse-mode autograd engine on NumPy or CuPy, and GANs that are built with it."""

from . import autograd, backend, data, layers
from .app.interface import load, train
from .app.plots import save_grid
from .autograd import Tensor, check_grads, grad, no_grad, primitive
from .backend import tune, use
from .gan import losses
from .optim import Adam
from .version import VERSION as __version__
