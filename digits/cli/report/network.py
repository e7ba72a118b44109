"""Exported networks as the page's script computes them.

They are read from the ONNX file, so the page needs no knowledge of Keras' layers.
"""

import base64
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper

from digits.core.errors import InputError

#: The operations that draw.js computes, with all attributes at ONNX's defaults.
OPERATIONS = ("Add", "Flatten", "Gemm", "MatMul", "Mul", "Relu")


def load_network(path: Path) -> dict[str, Any]:
    """The operations in order, the tensors by name (float32 as base64), the names of input and output.

    Raises:
        InputError: the network has an operation that the page can't compute.
    """
    graph = onnx.load(str(path)).graph
    for node in graph.node:
        if node.op_type not in OPERATIONS:
            raise InputError(
                path,
                found=f"the operation {node.op_type}",
                expected=f"one of {', '.join(OPERATIONS)}",
                do="add it to draw.js and network.py of digits/cli/report",
            )
    return {
        "input": graph.input[0].name,
        "output": graph.output[0].name,
        "operations": [
            {"name": node.op_type, "inputs": list(node.input), "output": node.output[0]}
            for node in graph.node
        ],
        "tensors": {
            tensor.name: {
                "shape": list(tensor.dims),
                "numbers": base64.b64encode(numpy_helper.to_array(tensor).astype("<f4").tobytes()).decode(),
            }
            for tensor in graph.initializer
        },
    }
