"""generator.onnx: G as a model for other programs, such as ONNX Runtime.

    input     latent    float32 (N, latent_size), numbers from N(0, 1); N is the number of images
    input     labels    int64 (N,), only if G is conditional
    output    images    float32 (N, H, W, C) in [-1, 1]; on toy data points, (N, 2)
The metadata class_names is a JSON list with a name for each label. Convolutions of ONNX need images (N, C, H, W), so
the model transposes before the first convolution and after the last.
"""

from __future__ import annotations

import json

import numpy as np

from .. import files
from ..extras import pip_install
from .export import ExportError, Generator, Operation

OPSET, IR_VERSION = 17, 8  # from 2022, so that older programs can read the model


def save(path, network: Generator) -> None:
    """Write the model to `path`. Raises ExportError if the package onnx is missing."""
    content = model(network).SerializeToString()
    files.replace(path, lambda file: file.write(content))


def model(network: Generator):
    """Return the onnx.ModelProto of a network, checked by onnx.checker."""
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError:
        raise ExportError(f"a .onnx file needs the package onnx: {pip_install('onnx')}") from None
    graph = Graph()
    inputs = [helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["N", network.latent_size])]
    if network.classes:
        inputs.append(helper.make_tensor_value_info("labels", TensorProto.INT64, ["N"]))
        depth = graph.constant(np.array(network.classes, np.int64))
        off_on = graph.constant(np.array([0, 1], np.float32))
        graph.add("OneHot", "labels", depth, off_on)
        graph.add("Concat", "latent", graph.last, axis=1)
    for step in network.operations:
        graph.append(step)
    graph.channels(first=False)
    graph.add("Identity", graph.last, output="images")
    output = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", *network.shape])
    made = helper.make_graph(graph.nodes, "generator", inputs, [output], graph.constants, doc_string=__doc__)
    opset = [helper.make_opsetid("", OPSET)]
    built = helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION, producer_name="tinygan")
    helper.set_model_props(built, {"class_names": json.dumps(list(network.class_names))})
    onnx.checker.check_model(built, full_check=True)
    return built


class Graph:
    """A chain of nodes. last: the name of the last result. channels_first: whether this result is (N, C, H, W)."""

    def __init__(self) -> None:
        self.nodes: list = []
        self.constants: list = []
        self.last, self.channels_first = "latent", False

    def constant(self, array: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes) -> None:
        from onnx import helper

        self.last = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [self.last], **attributes))

    def channels(self, first: bool) -> None:
        """Move the channels of the last result to axis 1 (first=True) or to the last axis, unless they are there."""
        if first != self.channels_first:
            self.add("Transpose", self.last, perm=[0, 3, 1, 2] if first else [0, 2, 3, 1])
            self.channels_first = first

    def append(self, step: Operation) -> None:
        """Add the nodes for an Operation of export.py."""
        numbers, options = step.arrays, step.options
        match step.kind:
            case "linear":
                weight, bias = self.constant(numbers["weight"]), self.constant(numbers["bias"])
                self.add("Gemm", self.last, weight, bias)
            case "reshape":  # for ONNX, 0 means: keep this size, here the number of images
                self.add("Reshape", self.last, self.constant(np.array([0, *options["shape"]], np.int64)))
            case "conv_transpose":  # ONNX needs weights (n_in, n_out, kh, kw)
                self.channels(first=True)
                weight, bias = self.constant(numbers["weight"].transpose(2, 3, 0, 1)), self.constant(numbers["bias"])
                self.add(
                    "ConvTranspose", self.last, weight, bias, strides=options["stride"],
                    pads=options["padding"] * 2, output_padding=options["output_padding"],
                )  # fmt: skip
            case "leaky_relu":
                self.add("LeakyRelu", self.last, alpha=options["slope"])
            case "tanh":
                self.add("Tanh", self.last)
            case kind:
                raise ExportError(f"the operation {kind} cannot be exported to ONNX")
