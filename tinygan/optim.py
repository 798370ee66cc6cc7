"""Adam, on all parameters of a network at once."""

import math
from collections.abc import Sequence

from . import backend
from .autograd import Tensor
from .backend import Array, distributed
from .layers import Module


class Adam:
    """Adaptive moment estimation (Kingma & Ba 2015, algorithm 1).

        m <- b1 m + (1 - b1) g          the mean of recent gradients g: the direction of the step
        v <- b2 v + (1 - b2) g^2        the mean of recent g^2: the scale
        p <- p - lr m̂ / (sqrt(v̂) + eps)        m̂ = m / (1 - b1^t), v̂ = v / (1 - b2^t)

    Division by sqrt(v̂) gives every parameter steps of about lr, whatever the scale of its gradient. m and v start at
    zero; m̂ and v̂ correct this bias. b1 is 0.5 in most GANs (Radford et al. 2016, section 4): the other network
    changes too, so old gradients are soon wrong.

    All state is in arrays that are updated in place. So a CUDA graph can replay the update, and a schedule can change
    lr and b2. 1 - b2 is stored, because b2 near 1 loses digits in float32. Raises ValueError unless lr is positive.
    """

    def __init__(
        self, network: Module, lr: float = 2e-4, betas: tuple[float, float] = (0.5, 0.999), eps: float = 1e-8
    ) -> None:
        if not (lr > 0 and math.isfinite(lr)):
            raise ValueError(f"the learning rate must be a positive number; got {lr}")
        if network.flat is None:
            network.flatten()
        self.flat, self.beta1, self.eps = network.flat, betas[0], eps
        self.log_beta1 = math.log(self.beta1) if self.beta1 else -math.inf
        self.parameters = network.parameters()
        xp, data = backend.xp, self.flat.data
        self.gradient, self.m, self.v = xp.zeros_like(data), xp.zeros_like(data), xp.zeros_like(data)
        self.t = xp.zeros(1, data.dtype)
        self.lr = xp.full(1, lr, data.dtype)
        self.one_minus_beta2 = xp.full(1, 1.0 - betas[1], data.dtype)
        self.m_scale, self.v_scale = xp.zeros(1, data.dtype), xp.zeros(1, data.dtype)  # 1 / (1 - b1^t), 1 / (1 - b2^t)
        self.gradient_views = list(self.flat.views(self.gradient).values())

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Update the parameters in place. gradients: a Tensor for each of `parameters`, in their order."""
        backend.copy_into(self.gradient_views, [g.data for g in gradients])
        distributed.average(self.gradient)  # over the processes: each has the gradient for a part of the batch
        self.t += 1
        scales = self.m_scale, self.v_scale
        bias_corrections(self.t, self.log_beta1, self.one_minus_beta2, out=scales)
        p, g, m, v = self.flat.data, self.gradient, self.m, self.v
        adam(p, g, m, v, *scales, self.lr, 1.0 - self.beta1, self.one_minus_beta2, self.eps, out=(p, m, v))
        for parameter in self.parameters:
            parameter.version += 1  # so grad refuses graphs that were built before this update

    def state_dict(self) -> dict[str, Array]:
        """Return {name: array} of the state: the live arrays. m and v are split by parameter, such as "m.3.weight"."""
        moments = {"m": self.m, "v": self.v}
        named = {f"{k}.{name}": view for k, array in moments.items() for name, view in self.flat.views(array).items()}
        return {"t": self.t, "lr": self.lr, "one_minus_beta2": self.one_minus_beta2, **named}

    def load_state_dict(self, saved: dict) -> None:
        backend.load_arrays(self.state_dict(), saved, "Adam")


@backend.fuse
def adam(p, g, m, v, m_scale, v_scale, lr, one_minus_beta1, one_minus_beta2, eps):
    """Return the new p, m and v, arrays of one shape. The other arguments are numbers. See Adam for the formulas."""
    m = m + one_minus_beta1 * (g - m)
    v = v + one_minus_beta2 * (g * g - v)
    return p - lr * (m_scale * m) / (backend.xp.sqrt(v_scale * v) + eps), m, v


@backend.fuse
def bias_corrections(t, log_beta1, one_minus_beta2):
    """Return 1 / (1 - b1^t) and 1 / (1 - b2^t). 1 - b^t = -expm1(t ln b) is accurate in float32, even for b near 1."""
    xp = backend.xp
    return -1.0 / xp.expm1(t * log_beta1), -1.0 / xp.expm1(t * xp.log1p(-one_minus_beta2))
