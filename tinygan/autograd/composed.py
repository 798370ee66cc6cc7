"""Composed operations: a formula in Tensor operations, and a faster way to compute its value and first gradient.

The formula is the definition, and it has all derivatives. The backend computes the same value and the same first
gradient in fewer passes over memory. Without this file, nothing would change but the speed and the rounding. A test
compares the two for every composed operation.
"""

from collections.abc import Callable, Iterable, Sequence

from ..backend import Array
from .backward import grad
from .tensor import Primitive, Tensor, arrays, is_recording


class Composed(Primitive):
    """An operation that is defined by `formula`: Tensors -> Tensor.

    value(*arrays, **options) is the same function of arrays. gradients(g, needed, y, *arrays, **options) returns
    dL/d argument for each argument, or None where it is not needed; g = dL/dy.
    """

    def __init__(self, formula: Callable[..., Tensor], value: Callable[..., Array], gradients: Callable) -> None:
        super().__init__(formula)  # its name and docstring are those of the operation
        self.formula, self.forward, self.gradients = formula, value, gradients

    def vjp(self, g, needed, y, *args, **options) -> Iterable[Tensor | None]:
        if is_recording():  # the gradient will be differentiated too
            return vjp_of(lambda *xs: self.formula(*xs, **options), g, needed, args)
        gradients = self.gradients(g.data, needed, y.data, *arrays(args), **options)
        return (None if dx is None else Tensor(dx) for dx in gradients)


def composed(value: Callable[..., Array], gradients: Callable) -> Callable[[Callable[..., Tensor]], Composed]:
    """Decorate a formula in Tensor operations: compute its value and its first gradient by these functions."""
    return lambda formula: Composed(formula, value, gradients)


def vjp_of(
    formula: Callable[..., Tensor], g: Tensor, needed: Sequence[bool], args: Sequence[Tensor]
) -> list[Tensor | None]:
    """Return dL/d argument for y = formula(*args), with g = dL/dy, as Tensors that can be differentiated.

    The formula is computed once more, from copies of the arguments, and `grad` stops at the copies. Without copies, an
    argument that was computed from another one would make the path through it count twice. Each copy is a node of the
    graph, so derivatives of the result reach the arguments.
    """
    copies = [x.reshape(x.shape) for x in args]
    inputs = [x for x, one in zip(copies, needed) if one]
    gradients = iter(grad(formula(*copies), inputs, create_graph=True, grad_output=g, allow_unused=True))
    return [next(gradients) if one else None for one in needed]
