"""Adam, on all parameters of a network at once (Kingma & Ba 2015, algorithm 1)."""

import math

from . import backend
from .backend.state import load_arrays


class Adam:
    """m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,   p <- p - lr m^ / (sqrt(v^) + eps)

    m^ = m / (1 - b1^t), v^ = v / (1 - b2^t): both start at zero, and this takes that start out of the average.
    beta1 is 0.5 in most GANs (Radford et al. 2016, section 4): the opponent moves, so old gradients mislead.

    All state is arrays updated in place, t and the learning rate too: a captured step can replay the update.
    """

    def __init__(self, network, lr=2e-4, betas=(0.5, 0.999), eps=1e-8):
        if not (lr > 0 and math.isfinite(lr)):
            raise ValueError(f"the learning rate must be a positive number; got {lr}")
        if network.flat is None:
            network.flatten()
        xp, self.flat, self.betas, self.eps = backend.xp, network.flat, betas, eps
        self.parameters = network.parameters()
        self.gradient = xp.zeros_like(self.flat.data)
        self.m = xp.zeros_like(self.flat.data)
        self.v = xp.zeros_like(self.flat.data)
        self.t = xp.zeros(1, self.flat.data.dtype)
        self.lr = xp.full(1, lr, self.flat.data.dtype)
        self.gradient_of = self.flat.views(self.gradient)

    def step(self, gradients):
        """Update the parameters, in place. gradients: a Tensor for each of `parameters`, in their order."""
        for view, g in zip(self.gradient_of.values(), gradients, strict=True):
            view[...] = g.data
        self._update()
        for parameter in self.parameters:
            parameter.version += 1  # a graph that was built before this is out of date, and can notice

    def _update(self):
        xp, g, (beta1, beta2) = backend.xp, self.gradient, self.betas
        self.t += 1.0
        self.m *= beta1
        self.m += (1.0 - beta1) * g
        g *= g
        self.v *= beta2
        self.v += (1.0 - beta2) * g
        root = xp.sqrt(self.v)
        root *= 1.0 / xp.sqrt(_one_minus_power(beta2, self.t))
        root += self.eps
        xp.divide(self.m, root, out=root)
        root *= self.lr / _one_minus_power(beta1, self.t)
        self.flat.data -= root

    def state_dict(self):
        """The live arrays; moments by the name of their parameter."""
        moments = {"m": self.m, "v": self.v}
        named = {f"{k}.{name}": view for k, m in moments.items() for name, view in self.flat.views(m).items()}
        return {"t": self.t, "lr": self.lr, **named}

    def load_state_dict(self, saved):
        load_arrays(self.state_dict(), saved, "Adam")


def _one_minus_power(beta, t):
    """1 - beta^t for an array t, in float32 without losing digits to the subtraction."""
    if beta == 0:
        return backend.xp.ones_like(t)
    return -backend.xp.expm1(t * math.log(beta))
