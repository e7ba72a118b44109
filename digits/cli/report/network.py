"""Exported networks as the page's script computes them."""

import base64
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper

#: The operations that draw.js computes.
OPERATIONS = {"Add", "Flatten", "Gemm", "Mul", "Relu"}


def load_network(path: Path) -> dict[str, Any]:
    """Operations of an ONNX file in order, tensors by name (float32 as base64), names of input and output."""
    graph = onnx.load(str(path)).graph
    return {
        "input": graph.input[0].name,
        "output": graph.output[0].name,
        "operations": [
            {"name": node.op_type, "inputs": list(node.input), "output": node.output[0]}
            for node in graph.node
        ],
        "tensors": {
            tensor.name: base64.b64encode(numpy_helper.to_array(tensor).astype("<f4").tobytes()).decode()
            for tensor in graph.initializer
        },
    }
