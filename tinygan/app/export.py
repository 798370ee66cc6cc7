"""A network as a list of operations, for export to report.html, generator.onnx and generator.npz.

In evaluation mode BatchNorm multiplies each channel by a constant `scale` and adds a constant `shift`. The layer before
it computes W x + b, and scale (W x + b) + shift = (scale W) x + (scale b + shift). So the layer with these new weights
replaces both layers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import backend, files
from ..gan.conditional import Conditional
from ..gan.training import Training
from ..layers import BatchNorm, ConvTranspose2d, Dropout, LeakyReLU, Linear, Module, ReLU, Reshape, Sequential, Tanh


class ExportError(ValueError):
    """The network cannot be exported. The message names the reason, such as a layer."""


class Operation(NamedTuple):
    """An operation of a network. x is its input, y its output. kind: one of

    linear              y = x W + b; weight (n_in, n_out), bias (n_out,)
    reshape             y = x with the shape `shape`, channels last
    conv_transpose      y = bias, then y[stride i + k - padding] += x[i] weight[k] for each pixel i of x and each
                        position k in the filter; weight (kh, kw, n_in, n_out), bias (n_out,)
    leaky_relu          y = max(x, slope x); slope 0 is ReLU
    tanh                y = tanh x

    arrays: weight and bias, float32. options: all other parameters, as JSON values.
    """

    kind: str
    arrays: dict[str, np.ndarray] = {}  # noqa: RUF012
    options: dict[str, Any] = {}  # noqa: RUF012


class Generator(NamedTuple):
    """G as operations. The input is (N, latent_size + classes): latent vectors, followed by one-hot labels if any.

    shape: (H, W, C) of an image with values in [-1, 1], or (2,) of a point. class_names: a name for each class.
    """

    operations: list[Operation]
    latent_size: int
    classes: int
    shape: tuple[int, ...]
    class_names: Sequence[str] = ()

    def about(self) -> dict[str, Any]:
        """Return a description without the weights, as JSON values."""
        steps = [{"kind": step.kind, **step.options} for step in self.operations]
        sizes = {"latent_size": self.latent_size, "classes": self.classes, "shape": list(self.shape)}
        return {**sizes, "class_names": list(self.class_names), "operations": steps}


def generator(training: Training, shape: tuple[int, ...], class_names: Sequence[str] = ()) -> Generator:
    """Return training.sampler() as a Generator. Raises ExportError for a layer that cannot be exported."""
    try:
        steps = operations(training.sampler())
    finally:
        training.gan.G.train()
    return Generator(steps, training.gan.latent_size, training.gan.classes, shape, class_names)


def operations(network: Module) -> list[Operation]:
    """Return the operations of a Sequential, or of a Conditional around one, in evaluation mode."""
    inner = network.network if isinstance(network, Conditional) else network
    assert isinstance(inner, Sequential)
    steps: list[Operation] = []
    for layer in inner.layers:
        if isinstance(layer, BatchNorm):
            fold(layer, steps)
        elif not isinstance(layer, Dropout):  # Dropout does nothing in evaluation mode
            steps.append(operation(layer))
    return steps


def operation(layer: Module) -> Operation:
    """Return a layer as an operation."""
    match layer:
        case Linear(weight=weight, bias=bias, spectral=spectral):
            weight = weight if spectral is None else spectral(weight)
            return Operation("linear", weights(weight.data, bias, weight.shape[1]))
        case ConvTranspose2d(bias=bias, n_out=n_out):
            filters = layer.filters().data.transpose(0, 1, 3, 2)
            names = ("stride", "padding", "output_padding")
            options = {name: list(getattr(layer, name)) for name in names}
            return Operation("conv_transpose", weights(filters, bias, n_out), options)
        case Reshape(shape=shape):
            return Operation("reshape", options={"shape": list(shape)})
        case ReLU():
            return Operation("leaky_relu", options={"slope": 0.0})
        case LeakyReLU(slope=slope):
            return Operation("leaky_relu", options={"slope": slope})
        case Tanh():
            return Operation("tanh")
    raise ExportError(f"the layer {type(layer).__name__} cannot be exported")


def weights(weight, bias, n_out) -> dict[str, np.ndarray]:
    """Return weight and bias as NumPy arrays. If a layer has no bias, the bias is zero."""
    bias = np.zeros(n_out, np.float32) if bias is None else backend.to_host(bias.data)
    return {"weight": np.array(backend.to_host(weight), np.float32), "bias": np.array(bias, np.float32)}


def fold(norm: BatchNorm, steps: list[Operation]) -> None:
    """Fold a BatchNorm into the weights of the last operation that is not a reshape, in place."""
    step = next((step for step in reversed(steps) if step.kind != "reshape"), Operation("nothing"))
    if not step.arrays:
        raise ExportError(f"BatchNorm can be exported only after a layer with weights; here it follows {step.kind}")
    numbers = (norm.gamma.data, norm.beta.data, norm.running_mean, norm.running_var)
    gamma, beta, mean, var = (backend.to_host(array).astype(np.float64) for array in numbers)
    scale = gamma / np.sqrt(var + norm.eps)
    shift = beta - scale * mean
    pixels = step.arrays["bias"].size // scale.size  # 1 after a convolution; else those of a linear layer's output
    scale, shift = np.tile(scale, pixels), np.tile(shift, pixels)
    step.arrays["weight"] = (step.arrays["weight"] * scale).astype(np.float32)
    step.arrays["bias"] = (step.arrays["bias"] * scale + shift).astype(np.float32)


def in_half_precision(steps: list[Operation]) -> list[dict[str, Any]]:
    """Return operations as JSON values, with each array as base64 of little-endian 16-bit floats.

    Raises ExportError for a weight that is larger than 65504, the largest 16-bit float.
    """

    def packed(array):
        with np.errstate(over="ignore"):
            halves = array.astype("<f2")
        if not np.isfinite(halves).all():
            raise ExportError("a weight is too large for half precision")
        return {"shape": list(array.shape), "half": base64.b64encode(halves.tobytes()).decode()}

    return [
        {"kind": kind, **options, **{name: packed(array) for name, array in arrays.items()}}
        for kind, arrays, options in steps
    ]


def save_npz(path, network: Generator) -> None:
    """Write an .npz of the arrays "0.weight", "0.bias", ... (0: the first operation), and of about() as JSON."""
    arrays: dict[str, Any] = {
        f"{i}.{name}": a for i, step in enumerate(network.operations) for name, a in step.arrays.items()
    }
    files.replace(path, lambda file: np.savez_compressed(file, about=json.dumps(network.about()), **arrays))
