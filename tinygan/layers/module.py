"""The base class of all layers and networks. The attributes of a Module are its parameters, buffers and submodules.

A Tensor that requires a gradient is a parameter. An array is a buffer: state that is not learned by gradient, such as
the running statistics of BatchNorm. Names are paths with dots: "3.weight". Lists are not searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .. import backend
from ..autograd import Tensor
from ..backend import Array
from .flat import FlatParameters


class Module:
    """Base of all layers. Subclasses set attributes in __init__ and define forward(*inputs)."""

    training = True  # the mode: BatchNorm and Dropout behave differently in training and in evaluation
    flat: FlatParameters | None = None  # all parameters in one array, after flatten()

    forward: Callable[..., Tensor]

    def __call__(self, *inputs, **options) -> Tensor:
        return self.forward(*inputs, **options)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all its submodules."""
        yield self
        for value in vars(self).values():
            if isinstance(value, Module):
                yield from value.modules()

    def train(self, mode: bool = True) -> Module:
        """Set training mode, or evaluation mode if `mode` is False, for this module and its submodules. Returns self.

        In evaluation mode BatchNorm uses its running averages and no longer updates them, and Dropout is off.
        """
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        return self.train(False)

    def named_parameters(self) -> dict[str, Tensor]:
        """Return {dotted name: Tensor} in the order of creation."""
        return {name: value for name, _, value in self._state() if isinstance(value, Tensor)}

    def parameters(self) -> list[Tensor]:
        return list(self.named_parameters().values())

    def state_dict(self) -> dict[str, Array]:
        """Return {dotted name: array} of parameters and buffers: the live arrays, not copies."""
        return {name: value.data if isinstance(value, Tensor) else value for name, _, value in self._state()}

    def load_state_dict(self, saved: dict) -> None:
        """Copy saved arrays into the parameters and buffers. Raises ValueError if names, shapes or dtypes differ."""
        backend.load_arrays(self.state_dict(), saved, type(self).__name__)
        for parameter in self.parameters():
            parameter.version += 1

    def flatten(self, dtype: str = "float32") -> Module:
        """Move all parameters into one array of `dtype`. Their `data` become views of this array. Returns self.

        Buffers get the dtype too. Afterwards, change the `data` of a parameter only in place.
        """
        self.flat = FlatParameters(self.named_parameters(), dtype)
        for name, owner, value in list(self._state()):
            if not isinstance(value, Tensor):
                setattr(owner, name.rsplit(".", 1)[-1], value.astype(dtype))
        return self

    def _state(self, prefix: str = "") -> Iterator[tuple[str, Module, Tensor | Array]]:
        """Yield (dotted name, owner, value) of each parameter and buffer, in the order of the attributes."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield from value._state(f"{prefix}{name}.")
            elif isinstance(value, backend.xp.ndarray) or (isinstance(value, Tensor) and value.requires_grad):
                yield prefix + name, self, value
