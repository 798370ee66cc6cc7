"""Answer 2: 20 vjps, each once. Along each path 2^20 - 1, because each times(x, x) has two ways to x."""

import numpy as np

from .e01_vjps import leaky_relu, leaky_relu_vjp, tanh_vjp


class Tensor:
    def __init__(self, data, args=(), vjp=None):
        self.data, self.args, self.vjp = np.asarray(data), args, vjp

    def detach(self):
        return Tensor(self.data)


def operation(forward, vjp):
    def apply(*args, **options):
        arrays = [x.data for x in args]
        y = forward(*arrays, **options)
        return Tensor(y, args, lambda g: vjp(g, y, *arrays, **options))

    return apply


def topological_order(output):
    order, visited = [], set()

    def visit(tensor):
        if id(tensor) not in visited:
            visited.add(id(tensor))
            for x in tensor.args:
                visit(x)
            order.append(tensor)

    visit(output)
    return order


def grad(output, inputs, g=None):
    gradients = {id(output): np.ones_like(output.data) if g is None else g}
    for tensor in reversed(topological_order(output)):
        if tensor.args:
            for x, dx in zip(tensor.args, tensor.vjp(gradients[id(tensor)])):
                gradients[id(x)] = gradients.get(id(x), 0) + dx
    return [gradients[id(x)] for x in inputs]


tanh = operation(np.tanh, tanh_vjp)
leaky_relu = operation(leaky_relu, leaky_relu_vjp)
