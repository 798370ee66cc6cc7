"""The check of exercise 2: what a Tensor remembers, the topological order, and the backward pass."""

import numpy as np

from .tools import Wrong, attempt, compare, not_none

x = np.array([[-2.0, -0.6, 0.3], [0.9, 1.5, -1.1], [0.7, -0.2, 2.0]])


def graph(parts):
    m = parts[2]
    times = m.operation(np.multiply, parts[1].multiply_vjp)
    plus = m.operation(np.add, lambda g, y, a, b: (g, g))
    recorded(m, times)
    order(m, times, plus)
    backward(m, times, plus)


def recorded(m, times):
    a, b, g = m.Tensor(x), m.Tensor(x.T + 3), x + 1
    arrays(m, a, g)
    y = times(a, b)
    if len(y.args) != 2 or y.args[0] is not a or y.args[1] is not b:
        raise Wrong("times(a, b).args must be the Tensors a and b themselves: grad needs to find them again.")
    compare("times(a, b).data", y.data, a.data * b.data)
    for name, found, right in zip("ab", not_none("times(a, b).vjp(g)", y.vjp(g)), (g * b.data, g * a.data)):
        compare(f"dL/d{name} of times(a, b).vjp(g)", found, right)


def arrays(m, a, g):
    """Check by an operation that notes its arguments that forward and vjp get arrays, and both get the options."""
    seen = {}

    def forward(a, shift):
        note("forward", a=a)
        return a + shift

    def vjp(g, y, a, **options):
        note("vjp", y=y, a=a, **options)
        return (g,)

    def note(function, **found):
        for name, value in found.items():
            if isinstance(value, m.Tensor):
                raise Wrong(f"{function} gets a Tensor as {name}. Pass the array, {name}.data.")
        seen.update(found)

    found = not_none("the function `apply` of operation", m.operation(forward, vjp)(a, shift=2.0))
    if not isinstance(found, m.Tensor):
        raise Wrong("apply must return a Tensor, with the args and the vjp: Tensor(y, ..., ...).")
    if not callable(found.vjp) or found.vjp is vjp:
        raise Wrong("the vjp of a Tensor must be a function g -> vjp(g, y, *arrays), which grad calls later: a lambda.")
    compare("probe(a, shift=2.0).data, with an option,", found.data, x + 2)
    found.vjp(g)
    compare("the array y that the vjp gets", seen["y"], x + 2, ("the vjp gets the argument in place of y.", x))
    compare("the array a that the vjp gets", seen["a"], x)
    if seen.get("shift") != 2.0:
        raise Wrong("apply passes its options to forward, but not to vjp: vjp(g, y, *arrays, **options).")


def order(m, times, plus):
    a = m.Tensor(2.0)
    square = times(a, a)
    result = plus(times(square, a), square)
    found = not_none("topological_order(output)", m.topological_order(result))
    if len(found) != len(set(map(id, found))):
        raise Wrong("topological_order returns a tensor twice: return at once if a tensor was visited before.")
    if set(map(id, found)) != {id(t) for t in (a, square, result.args[0], result)}:
        raise Wrong(f"topological_order returns {len(found)} tensors, expected 4: the output and all it depends on.")
    place = {id(tensor): i for i, tensor in enumerate(found)}
    if any(place[id(arg)] > place[id(tensor)] for tensor in found for arg in tensor.args):
        raise Wrong(
            "topological_order returns a tensor before one of its args. Most likely: a tensor is appended when it is "
            "visited first. Append it after its args were visited."
        )


def backward(m, times, plus):
    a, b = m.Tensor(x), m.Tensor(x.T + 3)
    g = x + 1
    early = "a gradient is passed on before all of its terms have arrived. Go through the order in reverse."
    (da,) = not_none("grad(output, inputs, g)", m.grad(times(a, b), [a], g))
    compare("grad(times(a, b), [a], g)", da, g * b.data, ("g was ignored: the pass begins with g.", b.data))
    compare("grad(times(a, b), [a])", m.grad(times(a, b), [a])[0], b.data)
    lost = "a later use of a tensor overwrites an earlier one. Add the terms."
    compare("the derivative of times(a, a)", m.grad(times(a, a), [a])[0], 2 * x, (lost, x))
    square = times(a, a)
    cubes = plus(times(square, a), square)
    (found,) = attempt("grad", f"Most likely: {early}", m.grad, cubes, [a])
    compare("the derivative of a^3 + a^2, where a^2 is used twice", found, 3 * x**2 + 2 * x, (early, 3 * x**2))
    try:
        m.grad(times(a, a), [b])
    except KeyError:
        pass
    else:
        raise Wrong("grad(times(a, a), [b]) must raise a KeyError: a loss that does not depend on b is a mistake.")
    sums = plus(a, b)
    da, db = m.grad(plus(sums, a), [a, b])
    shared = "`+=` has changed an array that is also the gradient of another tensor. Use a = a + b."
    one = np.ones_like(x)
    compare("dL/da of a + b + a", da, 2 * one, (shared, 3 * one), (shared, 4 * one))
    compare("dL/db of a + b + a", db, one, (shared, 2 * one))
    half = times(a, m.Tensor(np.full_like(x, 0.5)).detach())
    compare("the derivative of a / 2", m.grad(half, [a])[0], np.full_like(x, 0.5))
