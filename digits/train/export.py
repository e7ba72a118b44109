"""Write a trained network so that the same network gives the same bytes."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, checker, helper, numpy_helper

from digits.core.files import replacing
from digits.train.backend import keras, tf
from digits.train.network import normalization

#: Version of the ONNX operators: old enough for every runtime of the last years.
ONNX_OPSET, ONNX_IR = 13, 8

#: Settings that Keras 3.3 doesn't know, with their default values: leaving them out means the same.
NEWER = [
    ("quantization_config", None),
    ("input_axes", None),  # of initializers
    ("output_axes", None),
    ("renorm", False),  # of batch normalization
    ("renorm_clipping", None),
    ("renorm_momentum", 0.99),
]

#: The earliest date that a ZIP archive can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_keras(model: "keras.Model", path: Path) -> None:
    """Write ``model`` as a ``.keras`` file, with fixed values in place of dates and memory addresses."""
    with replacing(path) as partial:
        model.save(partial)
        with zipfile.ZipFile(partial) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
        metadata = json.loads(members["metadata.json"]) | {"date_saved": "1980-01-01@00:00:00"}
        members["metadata.json"] = json.dumps(metadata).encode()
        config = _portable(json.loads(members["config.json"]), {})
        members["config.json"] = json.dumps(config).encode()
        with zipfile.ZipFile(partial, "w") as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)


def _portable(node: Any, ordinals: dict[int, int]) -> Any:
    """Return the configuration without :data:`NEWER` settings, and with shared objects renumbered 1, 2, …

    Keras names these objects by their address, and refuses a file with a setting that it doesn't know.
    """
    if isinstance(node, list):
        return [_portable(item, ordinals) for item in node]
    if isinstance(node, dict):
        return {
            key: ordinals.setdefault(value, len(ordinals) + 1)
            if key == "shared_object_id"
            else _portable(value, ordinals)
            for key, value in node.items()
            if (key, value) not in NEWER
        }
    return node


def save_tflite(model: "keras.Model", path: Path) -> None:
    """Write ``model`` as a LiteRT (``.tflite``) file: float32, the model's own inputs and outputs.

    The weights are passed as constants: with variables, the conversion takes twice as long.
    """
    learnt = [tf.constant(variable.numpy()) for variable in model.trainable_variables]
    other = [tf.constant(variable.numpy()) for variable in model.non_trainable_variables]

    def logits(images: Any) -> Any:
        return model.stateless_call(learnt, other, images, training=False)[0]

    images = tf.TensorSpec([None, *model.input_shape[1:]], tf.float32, name="images")
    function = tf.function(logits, input_signature=[images], autograph=False).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    with replacing(path) as partial:
        partial.write_bytes(converter.convert())


def save_onnx(model: "keras.Model", path: Path) -> None:
    """Write ``model`` as an ONNX file, in float32: ``images [n, height, width]`` to ``logits [n, classes]``.

    The graph is built layer by layer with ONNX's own helpers: Keras's export uses tf2onnx, which would add
    a third of a second to each training.
    """
    nodes: list[NodeProto] = []
    tensors: list[TensorProto] = []
    current = "images"  # the name of the tensor that the next layer takes

    def add(operation: str, layer: str, *values: NDArray[Any], **attributes: Any) -> None:
        nonlocal current
        names = [f"{layer}/{name}" for name in ("weights", "bias")[: len(values)]]
        tensors.extend(map(numpy_helper.from_array, values, names))
        output = f"{layer}/{operation}"
        nodes.append(helper.make_node(operation, [current, *names], [output], name=output, **attributes))
        current = output

    for layer in model.layers:
        match layer:
            case keras.layers.Rescaling(offset=0.0):
                add("Mul", layer.name, np.array(layer.scale, np.float32))
            case keras.layers.Flatten():
                add("Flatten", layer.name)
            case keras.layers.Dense():
                add("Gemm", layer.name, layer.kernel.numpy(), layer.bias.numpy())
                if layer.activation is keras.activations.relu:
                    add("Relu", layer.name)
            case keras.layers.BatchNormalization():
                factor, offset = normalization(layer)
                add("Mul", f"{layer.name}/factor", factor)
                add("Add", f"{layer.name}/offset", offset)
            case keras.layers.ReLU():
                add("Relu", layer.name)
            case keras.layers.Dropout():
                pass  # active only during training
            case _:
                raise NotImplementedError(f"the layer {layer.name} ({type(layer).__name__}) in ONNX")
    nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        nodes,
        model.name,
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", *model.input_shape[1:]])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", model.output_shape[1]])],
        tensors,
    )
    opsets = [helper.make_opsetid("", ONNX_OPSET)]
    exported = helper.make_model(graph, opset_imports=opsets, ir_version=ONNX_IR)
    checker.check_model(exported, full_check=True)
    with replacing(path) as partial:
        partial.write_bytes(exported.SerializeToString(deterministic=True))
