"""Adam, on all parameters of a network at once."""

import math
from collections.abc import Sequence

from . import backend
from .autograd import Tensor
from .backend import Array, distributed, formulas
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
        self.gradient_norm = xp.zeros(1, data.dtype)  # |g| of the last step, for the log
        self.m_scale, self.v_scale = xp.zeros(1, data.dtype), xp.zeros(1, data.dtype)  # 1 / (1 - b1^t), 1 / (1 - b2^t)
        self.gradient_views = list(self.flat.views(self.gradient).values())

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Update the parameters in place. gradients: a Tensor for each of `parameters`, in their order."""
        backend.copy_into(self.gradient_views, [g.data for g in gradients])
        distributed.average(self.gradient)  # over the processes: each has the gradient for a part of the batch
        out = self.t, self.gradient_norm, self.m_scale, self.v_scale
        formulas.adam_scalars(self.gradient, self.t, self.log_beta1, self.one_minus_beta2, out=out)
        rates = 1.0 - self.beta1, self.one_minus_beta2, self.m_scale, self.v_scale, self.lr, self.eps
        formulas.adam(self.flat.data, self.gradient, self.m, self.v, *rates, out=(self.flat.data, self.m, self.v))
        for parameter in self.parameters:
            parameter.version += 1  # so grad refuses graphs that were built before this update

    def state_dict(self) -> dict[str, Array]:
        """Return {name: array} of the state: the live arrays. m and v are split by parameter, such as "m.3.weight"."""
        moments = {"m": self.m, "v": self.v}
        named = {f"{k}.{name}": view for k, array in moments.items() for name, view in self.flat.views(array).items()}
        return {"t": self.t, "lr": self.lr, "one_minus_beta2": self.one_minus_beta2, **named}

    def load_state_dict(self, saved: dict) -> None:
        backend.load_arrays(self.state_dict(), saved, "Adam")
