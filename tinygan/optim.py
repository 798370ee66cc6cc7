"""Adam, on all parameters of a network at once."""

import math

from . import backend


class Adam:
    """Kingma & Ba 2015, algorithm 1.

    m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,   p <- p - lr m^ / (sqrt(v^) + eps)

    m^ = m / (1 - b1^t), v^ = v / (1 - b2^t): both start at zero, and this takes that start out of the average.
    beta1 is 0.5 in most GANs (Radford et al. 2016, section 4): the opponent moves, so old gradients mislead.

    All state is arrays updated in place, t, lr and 1 - beta2 too: a captured step can replay the update, and a
    schedule can change them. Raises ValueError for a learning rate that is not a positive number.
    """

    def __init__(self, network, lr=2e-4, betas=(0.5, 0.999), eps=1e-8):
        if not (lr > 0 and math.isfinite(lr)):
            raise ValueError(f"the learning rate must be a positive number; got {lr}")
        if network.flat is None:
            network.flatten()
        xp, self.flat, self.beta1, self.eps = backend.xp, network.flat, betas[0], eps
        self.parameters = network.parameters()
        self.gradient = xp.zeros_like(self.flat.data)
        self.m = xp.zeros_like(self.flat.data)
        self.v = xp.zeros_like(self.flat.data)
        self.t = xp.zeros(1, self.flat.data.dtype)
        self.lr = xp.full(1, lr, self.flat.data.dtype)
        self.one_minus_beta2 = xp.full(1, 1.0 - betas[1], self.flat.data.dtype)  # of beta2 itself float32 loses digits
        self.gradient_norm = xp.zeros(1, self.flat.data.dtype)  # of the last step, for whoever looks at the health
        self.gradient_of = self.flat.views(self.gradient)

    def step(self, gradients):
        """Update the parameters, in place. gradients: a Tensor for each of `parameters`, in their order."""
        for view, g in zip(self.gradient_of.values(), gradients, strict=True):
            view[...] = g.data
        self._update()
        for parameter in self.parameters:
            parameter.version += 1  # a graph that was built before this is out of date, and can notice

    def _update(self):
        xp, g, data = backend.xp, self.gradient, self.flat.data
        self.gradient_norm[...] = xp.sqrt(backend.column_sums(_square, g))
        self.t += 1.0
        m_start = _one_minus_power(math.log(self.beta1), self.t) if self.beta1 else 1.0
        v_start = _one_minus_power(xp.log1p(-self.one_minus_beta2), self.t)
        root = xp.sqrt(v_start)  # lr m^ / (sqrt(v^) + eps) = (lr root / m_start) m / (sqrt(v) + eps root)
        rates = 1.0 - self.beta1, self.one_minus_beta2, self.lr * root / m_start, self.eps * root
        _adam(data, g, self.m, self.v, *rates, out=(data, self.m, self.v))

    def state_dict(self):
        """The live arrays; moments by the name of their parameter."""
        moments = {"m": self.m, "v": self.v}
        named = {f"{k}.{name}": view for k, m in moments.items() for name, view in self.flat.views(m).items()}
        return {"t": self.t, "lr": self.lr, "one_minus_beta2": self.one_minus_beta2, **named}

    def load_state_dict(self, saved):
        backend.load_arrays(self.state_dict(), saved, "Adam")


@backend.fuse
def _adam(p, g, m, v, one_minus_beta1, one_minus_beta2, lr, eps):
    m = m + one_minus_beta1 * (g - m)
    v = v + one_minus_beta2 * (g * g - v)
    return p - lr * m / (backend.xp.sqrt(v) + eps), m, v


def _square(x):
    return x * x


def _one_minus_power(log_beta, t):
    """1 - beta^t for an array t, in float32 without losing digits to the subtraction."""
    return -backend.xp.expm1(t * log_beta)
