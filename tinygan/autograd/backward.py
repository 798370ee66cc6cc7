"""The backward walk: the chain rule, from an output to the inputs that were asked for, and nowhere else."""

from .. import backend
from .tensor import Node, Tensor, is_recording, record, versions

FREED = Node(None, None, None, None)  # stands where the history of a tensor was, once it has been walked


def grad(output, inputs, create_graph=False, *, grad_output=None, allow_unused=False):
    """d output / d input for each of the inputs, as a list of Tensors of their shapes.

    create_graph: remember the walk, so that the gradients can be differentiated; the history is kept then, and used
    up otherwise. grad_output: dL/d output, needed if the output has more than one element (the result is dL/d input).
    allow_unused: an input that the output does not depend on gets zeros; by default it is an error, because in
    training it is a mistake (a detach in the wrong place). Only what lies on a path to the inputs is computed.

    Raises ValueError for a missing or misshapen grad_output or an unconnected input; RuntimeError for a history that an
    earlier walk used up, or that an update in place of one of its tensors has made wrong.
    """
    order = _between(output, inputs)
    on_path = {id(t) for t in order} | {id(x) for x in inputs}
    keep = {id(x) for x in inputs}
    gradients = {id(output): _grad_output(output, grad_output)}

    def add(x, part):
        seen = gradients.get(id(x))
        gradients[id(x)] = part if seen is None else seen + part

    with record(create_graph):
        while order:
            tensor = order.pop()  # children before parents: its gradient is complete
            g = gradients[id(tensor)] if id(tensor) in keep else gradients.pop(id(tensor))
            origin = tensor.node
            if origin.versions != versions(origin.args):
                raise RuntimeError(
                    f"an argument of {origin.primitive.__name__} was updated in place after it was used: "
                    "compute the output again, then take its gradient"
                )
            wanted = [id(a) in on_path for a in origin.args]
            for argument, part, want in zip(origin.args, origin.primitive.gradients(g, wanted, tensor, origin), wanted):
                if want:
                    add(argument, part)
            if not create_graph:
                tensor.node = FREED  # let go of the arguments: memory falls as the walk proceeds
    return [_pick(gradients, x, i, allow_unused) for i, x in enumerate(inputs)]


def backward(output, grad_output=None):
    """Add d output / d leaf to the `.grad` (an array) of every leaf that requires one."""
    leaves = [t for t in _history(output) if t.node is None and t.requires_grad]
    for leaf, g in zip(leaves, grad(output, leaves, grad_output=grad_output)):
        leaf.grad = g.data.copy() if leaf.grad is None else leaf.grad + g.data  # g may be shared, or a view


def vjp_of(function, g, args):
    """The vector-Jacobian products of a function of Tensors, its arguments taken as independent of one another.

    This makes a derivative out of a definition: a primitive that is fused for speed can be differentiated through
    the plain formula it computes.
    """
    differentiable_again = is_recording()
    with record(True):
        if differentiable_again:
            args = [a.reshape(a.shape) for a in args]  # a new tensor for the walk to stop at, still tied to the old
        else:
            args = [a.detach() for a in args]
        for a in args:
            a.requires_grad = True
        y = function(*args)
    return grad(y, args, create_graph=differentiable_again, grad_output=g, allow_unused=True)


def _history(output):
    """Every tensor that requires a gradient and that `output` was made from: parents before children.

    Depth first with a stack of its own: a chain may be longer than Python's recursion goes.
    """
    order, seen, stack = [], set(), [(output, False)]
    while stack:
        tensor, parents_done = stack.pop()
        if parents_done:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            if tensor.node is FREED:
                raise RuntimeError(
                    "this history was used up by an earlier grad or backward: take all gradients in one call, "
                    "or pass create_graph=True to the earlier one"
                )
            if tensor.node:
                stack.extend((a, False) for a in tensor.node.args if isinstance(a, Tensor) and a.requires_grad)
    return order


def _between(output, inputs):
    """The tensors on a path from `inputs` to `output`, parents first, those without an origin left out."""
    reaches = {id(x) for x in inputs}
    between = []
    for tensor in _history(output):
        if tensor.node and any(id(a) in reaches for a in tensor.node.args):
            reaches.add(id(tensor))
            between.append(tensor)
    return between


def _grad_output(output, grad_output):
    if grad_output is None:
        if output.size != 1:
            raise ValueError(f"the output has shape {output.shape}: give grad_output=, a tensor of that shape")
        return Tensor(backend.xp.ones_like(output.data))
    grad_output = grad_output if isinstance(grad_output, Tensor) else Tensor(grad_output)
    if grad_output.shape != output.shape:
        raise ValueError(f"grad_output has shape {grad_output.shape}, the output {output.shape}: they must agree")
    return grad_output


def _pick(gradients, x, i, allow_unused):
    if id(x) in gradients:
        return gradients[id(x)]
    if allow_unused:
        return Tensor(backend.xp.zeros_like(x.data))
    raise ValueError(f"input {i} (shape {x.shape}) has no part in the output: was it detached, or made in no_grad?")


Tensor.backward = backward
