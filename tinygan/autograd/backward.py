"""The backward pass: the chain rule, from an output back to the inputs asked for, and nowhere else."""

import functools
import operator
from collections import defaultdict
from collections.abc import Callable, Sequence

from .. import backend
from ..backend import Array
from .tensor import Node, Tensor, is_recording, record

FREED = Node(None, (), {}, ())  # type: ignore[arg-type]  # replaces a node that a backward pass has used


def grad(
    output: Tensor,
    inputs: Sequence[Tensor],
    create_graph: bool = False,
    *,
    grad_output: Tensor | Array | None = None,
    allow_unused: bool = False,
) -> list[Tensor]:
    """Return d output / d input for each of the inputs, as Tensors of their shapes.

    create_graph: make nodes during the pass, so that the gradients can be differentiated, and keep the graph between
    inputs and output; otherwise it is freed. grad_output: dL/d output, needed if the output has more than one element;
    the result is then dL/d input. allow_unused: an input that the output does not depend on gets zeros, not an error.

    Raises ValueError for a missing or misshapen grad_output and for an unused input, RuntimeError for a graph that an
    earlier grad freed, or that is out of date because one of its tensors was updated in place.
    """
    order = _path(output, inputs)
    wanted = {id(x) for x in inputs}
    on_path = wanted | {id(x) for x in order}
    parts = defaultdict(list, {id(output): [_grad_output(output, grad_output)]})  # of the gradient of each tensor
    with record(create_graph):
        while order:
            tensor = order.pop()  # results before their arguments: all parts of its gradient are there
            (g,) = _sums([parts.pop(id(tensor))])
            if id(tensor) in wanted:  # an input may lie inside the graph
                parts[id(tensor)] = [g]
            tensor.node.check_versions(tensor)
            for x, dx in tensor.node.gradients(g, tensor, on_path):
                parts[id(x)].append(dx)
            if not create_graph:
                tensor.node = FREED  # releases the arguments, so that memory falls during the pass
        return _sums([parts[id(x)] or _zeros(i, x, allow_unused) for i, x in enumerate(inputs)])


def _sums(parts: list[list[Tensor]]) -> list[Tensor]:
    """Return the sum of each list: the gradient of a tensor has one part for each time that the tensor was used."""
    if is_recording():
        return [functools.reduce(operator.add, tensors) for tensors in parts]
    return [Tensor(array) for array in backend.sums([[x.data for x in tensors] for tensors in parts])]


def vjp_of(function: Callable[..., Tensor], g: Tensor, args: Sequence[Tensor]) -> list[Tensor]:
    """Return the vector-Jacobian product for each argument of a function of Tensors, by differentiating its operations.

    A primitive that computes a formula in one pass gets its derivatives in this way from the formula.
    """
    create_graph = is_recording()
    with record(True):
        # New tensors, at which `grad` stops. For a further derivative they are copies with a node, made by reshape.
        args = [x.reshape(x.shape) if create_graph else x.detach() for x in args]
        for x in args:
            x.requires_grad = True
        y = function(*args)
    return grad(y, args, create_graph, grad_output=g, allow_unused=True)


def _path(output: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors with a node that lie between `inputs` and `output`, arguments before results.

    A topological order, depth first, with a stack of its own: a graph may be deeper than Python's recursion limit.
    """
    path, on_path, visited, stack = [], {id(x) for x in inputs}, set(), [(output, False)]
    while stack:
        tensor, args_done = stack.pop()
        if tensor.node is FREED:
            raise RuntimeError(
                "this graph was freed by an earlier grad: take all gradients in one call, "
                "or pass create_graph=True to the earlier one"
            )
        args = [x for x in tensor.node.args if isinstance(x, Tensor) and x.requires_grad] if tensor.node else []
        if args_done and any(id(x) in on_path for x in args):
            on_path.add(id(tensor))
            path.append(tensor)
        elif id(tensor) not in visited:
            visited.add(id(tensor))
            stack += [(tensor, True), *((x, False) for x in args)]
    return path


def _grad_output(output: Tensor, grad_output: Tensor | Array | None) -> Tensor:
    if grad_output is None:
        if output.size != 1:
            raise ValueError(f"the output has shape {output.shape}: give grad_output=, a tensor of that shape")
        return Tensor(backend.ones(output.shape, output.dtype))
    g = grad_output if isinstance(grad_output, Tensor) else Tensor(grad_output)
    if g.shape != output.shape:
        raise ValueError(f"grad_output has shape {g.shape}, the output {output.shape}: they must agree")
    return g


def _zeros(i: int, x: Tensor, allow_unused: bool) -> list[Tensor]:
    """Return the only part of the gradient of input number i, which has no part in the output."""
    if allow_unused:
        return [Tensor(backend.xp.zeros_like(x.data))]
    raise ValueError(f"input {i} (shape {x.shape}) has no part in the output: was it detached, or made in no_grad?")
