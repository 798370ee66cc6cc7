"""Exercise 2: the graph and the backward pass, in about fifteen lines.                        (the tour, stops 1, 3)

A Tensor remembers how it was computed: from which tensors (args), and by which derivative (vjp). So the last tensor of
a computation leads back to all others. The backward pass begins with dL/dL = 1 and goes from results to arguments. At
each tensor it calls the vjp, and passes the gradients on to the arguments. A tensor that is used n times gets n terms:

    dL/dx = sum over the uses of x of the term that the vjp of this use gives

Question: let x = Tensor(0.5), then do x = times(x, x) twenty times, with times = operation(np.multiply, multiply_vjp)
and multiply_vjp of exercise 1. How often does grad call a vjp? How often, if topological_order did not skip the tensors
that it has visited, but followed each path from the last x back to the first?
"""

import numpy as np

from .e01_vjps import leaky_relu, leaky_relu_vjp, tanh_vjp


class Tensor:
    """data: an array. args: the tensors from which it was made. vjp: a function g -> a gradient for each of args.
    An input of a computation has no args and no vjp.
    """

    def __init__(self, data, args=(), vjp=None):
        self.data, self.args, self.vjp = np.asarray(data), args, vjp

    def detach(self):
        """Return the same array as a constant: a Tensor that does not know how it was computed."""
        return Tensor(self.data)


def operation(forward, vjp):
    """Return a function that computes `forward` on Tensors and records how to differentiate it.

    forward: arrays -> an array. vjp: (g, y, *arrays) -> a gradient for each array, as in exercise 1.
    """

    def apply(*args, **options):
        """args: Tensors. options: for forward and vjp, such as shape=(2, 3). Return a Tensor with args and a vjp."""
        ...

    return apply


def topological_order(output):
    """Return a list of all tensors from which `output` was computed, and itself. Each tensor is in the list once, and
    after all of its args. (Append a tensor when all of its args are in the list. A recursive function is fine.)
    """
    ...


def grad(output, inputs, g=None):
    """Return a list: dL/dx for each Tensor x in inputs, as arrays. g: dL/d output, an array; None means ones.

    It is an error (KeyError) if output does not depend on one of the inputs.
    """
    # Keep the gradients in a dict with id(tensor) as the key. `a += b` changes the array a, which others may share.
    ...


tanh = operation(np.tanh, tanh_vjp)
leaky_relu = operation(leaky_relu, leaky_relu_vjp)  # from here on, leaky_relu is a function of Tensors
