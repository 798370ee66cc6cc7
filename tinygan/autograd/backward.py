"""The backward pass: the chain rule, from an output back to the inputs asked for, and nowhere else."""

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

    create_graph: make nodes during the pass, so that the gradients can be differentiated. The graph of the output is
    then kept; otherwise it is freed. grad_output: dL/d output, needed if the output has more than one element; the
    result is then dL/d input. allow_unused: an input that the output does not depend on gets zeros. By default it is
    an error, because in training it is a mistake, such as a detach in the wrong place.

    Raises ValueError for a missing or misshapen grad_output and for an unused input, RuntimeError for a graph that an
    earlier grad freed, or that is out of date because one of its tensors was updated in place.
    """
    order = _path(output, inputs)
    on_path = {id(x) for x in (*order, *inputs)}
    keep = {id(x) for x in inputs}
    gradients = {id(output): _grad_output(output, grad_output)}
    leaves: dict[int, list] = {} if create_graph else {id(x): [] for x in inputs if not x.node}
    with record(create_graph):
        while order:
            tensor = order.pop()  # results before their arguments: its gradient is complete
            g = gradients[id(tensor)] if id(tensor) in keep else gradients.pop(id(tensor))
            node = tensor.node
            node.check_versions()
            for x, dx in node.gradients(g, tensor, on_path):
                if id(x) in leaves:
                    leaves[id(x)].append(dx.data)  # summed at the end, all together
                else:
                    gradients[id(x)] = gradients[id(x)] + dx if id(x) in gradients else dx  # used twice: the sum
            if not create_graph:
                tensor.node = FREED  # releases the arguments, so that memory falls during the pass
    gradients |= {key: Tensor(total) for key, total in backend.totals(leaves).items()}
    return [_result(gradients, i, x, allow_unused) for i, x in enumerate(inputs)]


def vjp_of(function: Callable[..., Tensor], g: Tensor, args: Sequence[Tensor]) -> list[Tensor]:
    """Return the vector-Jacobian products of a function of Tensors, by differentiating the operations in it.

    With it, the derivative of a primitive that is fused for speed can be taken through the formula that it computes.
    """
    again = is_recording()  # a further derivative may follow: then the inputs stay connected to the outer graph
    with record(True):
        args = [x.reshape(x.shape) if again else x.detach() for x in args]  # fresh tensors: the inputs of `grad` below
        for x in args:
            x.requires_grad = True
        y = function(*args)
    return grad(y, args, create_graph=again, grad_output=g, allow_unused=True)


def _graph(output: Tensor) -> list[Tensor]:
    """Return every tensor that requires a gradient and that `output` was made from, arguments before results.

    A topological order, depth first, with a stack of its own: a graph may be deeper than Python's recursion limit.
    """
    order, visited, stack = [], set(), [(output, False)]
    while stack:
        tensor, args_done = stack.pop()
        if args_done:
            order.append(tensor)
        elif id(tensor) not in visited:
            visited.add(id(tensor))
            stack.append((tensor, True))
            if tensor.node is FREED:
                raise RuntimeError(
                    "this graph was freed by an earlier grad: take all gradients in one call, "
                    "or pass create_graph=True to the earlier one"
                )
            if tensor.node:
                stack.extend((x, False) for x in tensor.node.args if isinstance(x, Tensor) and x.requires_grad)
    return order


def _path(output: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors with a node that lie between `inputs` and `output`, arguments before results."""
    on_path, path = {id(x) for x in inputs}, []
    for tensor in _graph(output):
        if tensor.node and any(id(x) in on_path for x in tensor.node.args):
            on_path.add(id(tensor))
            path.append(tensor)
    return path


def _grad_output(output: Tensor, grad_output: Tensor | Array | None) -> Tensor:
    if grad_output is None:
        if output.size != 1:
            raise ValueError(f"the output has shape {output.shape}: give grad_output=, a tensor of that shape")
        return Tensor(backend.xp.ones_like(output.data))
    g = grad_output if isinstance(grad_output, Tensor) else Tensor(grad_output)
    if g.shape != output.shape:
        raise ValueError(f"grad_output has shape {g.shape}, the output {output.shape}: they must agree")
    return g


def _result(gradients: dict[int, Tensor], i: int, x: Tensor, allow_unused: bool) -> Tensor:
    if id(x) in gradients:
        return gradients[id(x)]
    if allow_unused:
        return Tensor(backend.xp.zeros_like(x.data))
    raise ValueError(f"input {i} (shape {x.shape}) has no part in the output: was it detached, or made in no_grad?")
