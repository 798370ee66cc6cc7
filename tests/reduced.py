"""Compare derivatives of BatchNorm on two processes with those on one process.

    mpiexec -n 2 python tests/reduced.py

The batch has four rows, two in each process. The derivatives of order 1 are those of sum(u * BatchNorm(x)), for a
random array u. The derivatives of order 2 are those of sum(d * gradient of order 1), for a random array d. Order 3
follows from order 2 in the same way. Process 0 prints the number of each order that has passed.
"""

import numpy as np

from tinygan import Tensor, backend, grad
from tinygan import autograd as ag
from tinygan.backend import distributed

EPS, SLOPE = 1e-3, 0.2


def batch_norm(x, gamma, beta):
    return ag.batch_norm(x, gamma, beta, moments=backend.mean_and_variance(x.data), eps=EPS, slope=SLOPE)


def formula(x, gamma, beta):
    return ag.batch_norm.formula(x, gamma, beta, None, eps=EPS, slope=SLOPE)


def derivatives(function, rows, order):
    """Return the gradients of the orders 1, 2, ...: [[dx, dgamma, dbeta], ...]. rows: which rows of x are used."""
    rng, found = np.random.default_rng(0), []
    x, u, *directions = rng.standard_normal((2 + order, 4, 3))
    small = rng.standard_normal((2 + order, 2, 3))
    inputs = [Tensor(a, requires_grad=True) for a in (x[rows], *small[0])]
    value = (function(*inputs) * u[rows]).sum()
    for level in range(order):
        gradients = grad(value, inputs, create_graph=level + 1 < order, allow_unused=True)
        found.append([g.numpy() for g in gradients])
        if level + 1 < order:
            along = (directions[level][rows], *small[1 + level])
            # in each process dL/dgamma and dL/dbeta are sums over its own rows, and so is the value
            value = sum((g * Tensor(d)).sum() for g, d in zip(gradients, along))
    return found


def main():
    distributed.start()
    mine = slice(2 * distributed.rank, 2 * distributed.rank + 2)
    for function in (batch_norm, formula):
        ours = derivatives(function, mine, 3)
        with distributed.alone():
            whole = derivatives(function, slice(0, 4), 3)
        for level, (gradients, expected) in enumerate(zip(ours, whole), 1):
            np.testing.assert_allclose(gradients[0], expected[0][mine], rtol=1e-10, atol=1e-12)
            for part, total in zip(gradients[1:], expected[1:]):
                np.testing.assert_allclose(distributed.all_reduce(part), total, rtol=1e-10, atol=1e-12)
            if distributed.rank == 0 and function is not batch_norm:
                print(level, flush=True)
    distributed.finish()


if __name__ == "__main__":
    main()
