"""What every layer and network is: parameters, buffers, and other modules, found by looking at its attributes.

A Tensor that requires a gradient is a parameter, learned by gradient. An array is a buffer, state that is kept in
another way (the running statistics of BatchNorm). Both are named by their path, dotted: "3.weight".
"""

from .. import backend
from ..autograd import Tensor
from .flat import FlatParameters


class Module:
    """Base of all layers. Subclasses set attributes in __init__ and define forward(*inputs)."""

    training = True  # BatchNorm and Dropout behave differently when a network is used and not trained
    flat = None  # all parameters in one array, once flatten() was called

    def __call__(self, *inputs):
        return self.forward(*inputs)

    def modules(self):
        """This module and all within."""
        yield self
        for value in vars(self).values():
            if isinstance(value, Module):
                yield from value.modules()

    def train(self, mode=True):
        """Training mode for this module and all within; eval() is the other. Returns self."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        return self.train(False)

    def named_parameters(self):
        """{dotted name: Tensor} in the order in which they were made."""
        return {name: value for name, _, value in self._state() if isinstance(value, Tensor)}

    def parameters(self):
        return list(self.named_parameters().values())

    def state_dict(self):
        """{dotted name: array} of parameters and buffers: the live arrays, not copies."""
        return {name: value.data if isinstance(value, Tensor) else value for name, _, value in self._state()}

    def load_state_dict(self, saved):
        """Copy saved arrays into the live ones. Raises ValueError when names, shapes or dtypes differ."""
        backend.load_arrays(self.state_dict(), saved, type(self).__name__)
        for parameter in self.parameters():
            parameter.version += 1

    def flatten(self, dtype="float32"):
        """Move all parameters into one array of `dtype`, of which each becomes a view; buffers take the dtype too.

        Once and for good: afterwards parameters are written, never put elsewhere. Returns self.
        """
        self.flat = FlatParameters(self.named_parameters(), dtype)
        for _, owner, value in list(self._state()):
            if not isinstance(value, Tensor):
                attribute = next(a for a, v in vars(owner).items() if v is value)
                setattr(owner, attribute, value.astype(dtype))
        return self

    def _state(self, prefix=""):
        """(dotted name, the module that has it, parameter or buffer), in the order of the attributes."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield from value._state(f"{prefix}{name}.")
            elif isinstance(value, backend.xp.ndarray) or (isinstance(value, Tensor) and value.requires_grad):
                yield prefix + name, self, value


class Sequential(Module):
    """Modules one after the other; their names are their positions."""

    def __init__(self, *modules):
        self.layers = modules
        for i, module in enumerate(modules):
            setattr(self, str(i), module)

    def forward(self, x, *others):
        """others: what the first module takes beside x."""
        for module in self.layers:
            x, others = module(x, *others), ()
        return x
