"""Exercise 8: Adam.                                                                           (the tour, stop 6)

For each parameter p with gradient g, Adam keeps two averages: m of g, the direction, and v of g^2, the scale. Both
begin at 0, so in step t = 1, 2, ... they are too small; m^ and v^ correct this:

    m <- b1 m + (1 - b1) g        m^ = m / (1 - b1^t)
    v <- b2 v + (1 - b2) g^2      v^ = v / (1 - b2^t)        p <- p - lr m^ / (sqrt(v^) + eps)

Question: how far does a parameter move in the first step if its gradient is 1000? And if it is 0.001? Why?
"""

import numpy as np


class Adam:
    """parameters: a list of Tensors, which step updates. betas: b1, b2. In a GAN b1 is 0.5: the opponent changes too,
    so old gradients are soon wrong.
    """

    def __init__(self, parameters, lr=5e-4, betas=(0.5, 0.99), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.m, self.v = ([np.zeros_like(p.data) for p in parameters] for _ in range(2))

    def step(self, gradients):
        """Update self.t, self.m, self.v, and the data of each parameter. gradients: an array for each parameter.

        m and v are lists of arrays, which must remember the step: change each array in place, or store the new one.
        Return nothing.
        """
        ...
