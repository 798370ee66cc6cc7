"""The backward pass: the chain rule from an output back to some inputs, along the paths between them only."""

import functools
import operator
from collections import defaultdict
from collections.abc import Sequence

from .. import backend
from ..backend import Array
from .tensor import Node, Tensor, record

FREED = Node(None, (), {}, ())  # type: ignore[arg-type]  # stands in place of a node that a backward pass has used


def grad(
    output: Tensor,
    inputs: Sequence[Tensor],
    create_graph: bool = False,
    *,
    grad_output: Tensor | Array | None = None,
    allow_unused: bool = False,
) -> list[Tensor]:
    """Return d output / d input for each of the inputs, as Tensors of their shapes.

    create_graph: make the gradients differentiable, and keep the graph. If False, the graph is freed. grad_output:
    dL/d output, needed if the output has more than one element; the result is then dL/d input. allow_unused:
    return zeros for an input that the output does not depend on. If False, such an input is an error.

    Raises ValueError for an unused input, and for a grad_output that is missing or has another shape than the output.
    Raises RuntimeError if an earlier grad freed the graph, or if a tensor of the graph was updated in place.
    """
    order = _path(output, inputs)
    wanted = {id(x) for x in inputs}
    on_path = wanted | {id(x) for x in order}
    terms = defaultdict(list, {id(output): [_grad_output(output, grad_output)]})  # tensor id: terms of its gradient
    with record(create_graph):
        while order:
            tensor = order.pop()  # pop takes results before their arguments, so all terms are known
            g = _sum(terms.pop(id(tensor)))
            if id(tensor) in wanted:  # an input may lie on the path to another input: keep its gradient
                terms[id(tensor)] = [g]
            tensor.node.check_versions(tensor)
            for x, dx in tensor.node.gradients(g, tensor, on_path):
                terms[id(x)].append(dx)
            if not create_graph:
                tensor.node = FREED  # drops the references to the arguments, so memory is freed during the pass
        return [_sum(terms[id(x)] or _zeros(i, x, allow_unused)) for i, x in enumerate(inputs)]


def _sum(terms: list[Tensor]) -> Tensor:
    """Return the sum of the terms of a gradient. There is one term for each use of the tensor (the chain rule)."""
    return functools.reduce(operator.add, terms)


def _path(output: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors between `inputs` and `output` that have a node, arguments before results.

    This is a topological sort, depth first. There is no recursion: a graph may be deeper than Python's recursion limit.
    """
    path, on_path, visited, stack = [], {id(x) for x in inputs}, set(), [(output, False)]
    while stack:
        tensor, args_done = stack.pop()
        if tensor.node is FREED:
            raise RuntimeError(
                "this graph was freed by an earlier grad: compute all gradients in one call, "
                "or pass create_graph=True to the earlier call"
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
        return Tensor(backend.xp.ones(output.shape, output.dtype))
    g = grad_output if isinstance(grad_output, Tensor) else Tensor(grad_output)
    if g.shape != output.shape:
        raise ValueError(f"grad_output has shape {g.shape}, the output {output.shape}: they must agree")
    return g


def _zeros(i: int, x: Tensor, allow_unused: bool) -> list[Tensor]:
    """Return zeros as the gradient of an unused input, number i, if this is allowed; else raise ValueError."""
    if allow_unused:
        return [Tensor(backend.xp.zeros_like(x.data))]
    raise ValueError(f"the output does not depend on input {i} (shape {x.shape}): was it detached, or made in no_grad?")
