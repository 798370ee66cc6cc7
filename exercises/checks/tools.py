"""Compare a result with the right one, and say in a sentence what is wrong, and why if the mistake is a known one."""

import inspect

import numpy as np

import tinygan


class Wrong(Exception):
    """A check has found a mistake. The message is for the reader of the exercises."""


def known(found, mistakes):
    """Return the sentence of the mistake that gives the arrays `found`, or "". mistakes: pairs (sentence, arrays)."""
    for sentence, arrays in mistakes:
        if all(np.shape(a) == np.shape(b) and np.allclose(a, b, 1e-6, 1e-9) for a, b in zip(found, arrays)):
            return f" Most likely: {sentence}"
    return ""


def not_none(what, found):
    """Return `found`. None is what a function with `...` returns, or one without `return`."""
    if found is None:
        raise Wrong(f"{what} returns None: replace its `...`, and return the result.")
    return found


def compare(what, found, expected, *mistakes, tolerance=1e-6):
    """Raise Wrong if an element of `found` is not near that of `expected`. mistakes: pairs (sentence, wrong result)."""
    found, expected = np.asarray(not_none(what, found)), np.asarray(expected)
    hint = known([found], [(sentence, [wrong]) for sentence, wrong in mistakes])
    if found.shape != expected.shape:
        raise Wrong(f"{what} has the shape {found.shape}, expected {expected.shape}.{hint}")
    for index in np.argwhere(~np.isclose(found, expected, tolerance, tolerance)):
        place = tuple(map(int, index))
        raise Wrong(f"{what}, index {place}: computed {found[place]:.8g}, expected {expected[place]:.8g}.{hint}")


def check_vjp(vjp, forward, inputs, *mistakes):
    """Compare vjp(g, y, *inputs) of y = forward(*inputs) with differences. mistakes: pairs (sentence, wrong vjp)."""
    names = list(inspect.signature(vjp).parameters)[2:]
    check_gradients(vjp.__name__, names, forward, vjp, inputs, mistakes)


def check_function(what, parts, function, inputs, *mistakes):
    """Compare the reader's grad of a function of the reader's Tensors with differences. mistakes: as in check_vjp."""
    Tensor, grad = parts[2].Tensor, parts[2].grad

    def forward(*arrays):
        return not_none(what, function(*map(Tensor, arrays))).data

    def vjp(g, y, *arrays):
        tensors = [Tensor(x) for x in arrays]
        try:
            return grad(function(*tensors), tensors, g)
        except KeyError:
            raise Wrong(f"{what} does not lead back to its argument: use operations of Tensors, not arrays.") from None

    check_gradients(what, list(inspect.signature(function).parameters), forward, vjp, inputs, mistakes)


def check_gradients(what, names, forward, vjp, inputs, mistakes):
    """Check the shapes of the gradients, then each element with tinygan.check_grads. names: of the inputs."""
    inputs = [np.asarray(x, "float64") for x in inputs]
    y = forward(*inputs)
    g = np.random.default_rng(1).normal(size=np.shape(y))
    given = [np.array(array) for array in (g, y, *inputs)]
    found = not_none(what, vjp(*given))
    for name, before, after in zip(("g", "y", *names), (g, y, *inputs), given):
        if not np.array_equal(before, after):
            raise Wrong(f"{what} has changed the array {name}, which others may share: compute a new one.")
    if not isinstance(found, tuple | list) or len(found) != len(inputs):
        raise Wrong(f"{what} must return a tuple with one gradient for each argument: ({', '.join(names)},).")
    hint = known(found, [(sentence, wrong(g, y, *inputs)) for sentence, wrong in mistakes])
    for name, dx, x in zip(names, found, inputs):
        if np.shape(dx) != x.shape:
            raise Wrong(f"{what}: dL/d{name} has the shape {np.shape(dx)}, but {name} has {x.shape}.{hint}")
    try:
        tinygan.check_grads(as_primitive(forward, vjp, len(inputs)), inputs, order=1, name=what)
    except AssertionError as error:
        sentence = str(error).replace(" (seed 0): derivative of order 1", "")
        for i, name in enumerate(names):
            sentence = sentence.replace(f"argument {i}", f"dL/d{name}")
        raise Wrong(f"{sentence}.{hint}") from None


def as_primitive(forward, vjp, count):
    """Return a primitive of tinygan that calls two functions of arrays."""

    def of_an_exercise(*arrays):  # primitives are registered by name: this must not be the name of another
        return np.asarray(forward(*arrays))

    def gradient(i):
        return lambda *args: tinygan.Tensor(np.array(vjp(*(x.numpy() for x in args))[i], "float64"))

    primitive = tinygan.primitive(of_an_exercise)
    primitive.defvjp(*map(gradient, range(count)))
    return primitive


def attempt(what, hint, function, *args):
    """Return function(*args). If it raises an error, raise Wrong with the error and the hint."""
    try:
        return not_none(what, function(*args))
    except (ValueError, IndexError, ArithmeticError, KeyError) as error:
        message = "" if isinstance(error, KeyError) else f": {error}"  # the key is the id of a tensor
        raise Wrong(f"{what} raises {type(error).__name__}{message}. {hint}") from error
