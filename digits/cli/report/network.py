"""An exported network as the page's own script runs it: a list of operations, and their numbers.

It is read from the ONNX file, so the page needs no knowledge of the layers that a network was built of.
"""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from digits.core.errors import InputError

#: What draw.js computes, with all attributes at ONNX's defaults.
OPERATIONS = ("Add", "Flatten", "Gemm", "MatMul", "Mul", "Relu")


def load_network(path: Path) -> dict[str, Any]:
    """Operations in order, tensors by name (shape, and float32 little-endian as base64), input and output.

    Raises:
        InputError: the file is missing or damaged, or holds an operation that the page can't compute.
    """
    try:
        graph = onnx.load(str(path)).graph
    except FileNotFoundError:
        raise InputError(path, found="no such file", expected="an exported network", do="make run") from None
    except DecodeError as error:
        raise InputError(
            path, found=f"a damaged file ({error})", expected="an ONNX model", do="dvc repro train"
        ) from None
    if not graph.node:
        raise InputError(path, found="an empty file", expected="an ONNX model", do="dvc repro train")
    for node in graph.node:
        if node.op_type not in OPERATIONS:
            raise InputError(
                path,
                found=f"the operation {node.op_type}",
                expected=f"one of {', '.join(OPERATIONS)}",
                do="teach draw.js this one",
            )
    return {
        "input": graph.input[0].name,
        "output": graph.output[0].name,
        "operations": [
            {"name": node.op_type, "inputs": list(node.input), "output": node.output[0]}
            for node in graph.node
        ],
        "tensors": {
            tensor.name: {"shape": list(tensor.dims), "numbers": _base64(numpy_helper.to_array(tensor))}
            for tensor in graph.initializer
        },
    }


def _base64(values: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")
