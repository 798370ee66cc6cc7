"""Answer 8: by lr in both cases: in the first step m^ / sqrt(v^) is g / |g|, the sign of the gradient."""

import numpy as np


class Adam:
    def __init__(self, parameters, lr=5e-4, betas=(0.5, 0.99), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.m, self.v = ([np.zeros_like(p.data) for p in parameters] for _ in range(2))

    def step(self, gradients):
        b1, b2 = self.betas
        self.t += 1
        for p, g, m, v in zip(self.parameters, gradients, self.m, self.v):
            m += (1 - b1) * (g - m)
            v += (1 - b2) * (g**2 - v)
            m_hat, v_hat = m / (1 - b1**self.t), v / (1 - b2**self.t)
            p.data = p.data - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
