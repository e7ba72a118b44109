"""Write a trained network so that the same network gives the same bytes."""

import contextlib
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digits.backend import tf
from digits.files import replacing
from digits.training import Trained

if TYPE_CHECKING:
    from digits.backend import keras

#: The earliest date that a ZIP archive can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_keras(model: "keras.Model", path: Path) -> None:
    """Write ``model`` as a ``.keras`` file without what Keras adds of the clock and of memory addresses."""
    with replacing(path) as partial:
        model.save(partial)
        with zipfile.ZipFile(partial) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
        metadata = json.loads(members["metadata.json"]) | {"date_saved": "1980-01-01@00:00:00"}
        members["metadata.json"] = json.dumps(metadata).encode()
        config = _with_ordinal_ids(json.loads(members["config.json"]), {})
        members["config.json"] = json.dumps(config).encode()
        with zipfile.ZipFile(partial, "w") as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)


def _with_ordinal_ids(node: Any, ordinals: dict[int, int]) -> Any:
    """The configuration with objects shared by layers numbered 1, 2, …: Keras names them by address."""
    if isinstance(node, list):
        return [_with_ordinal_ids(item, ordinals) for item in node]
    if isinstance(node, dict):
        return {
            key: ordinals.setdefault(value, len(ordinals) + 1)
            if key == "shared_object_id"
            else _with_ordinal_ids(value, ordinals)
            for key, value in node.items()
        }
    return node


def save_tflite(model: "keras.Model", path: Path) -> None:
    """Write ``model`` as a LiteRT (``.tflite``) file: float32, the model's own inputs and outputs."""
    # The converter prints its own signature, and logs from C++ that nothing was optimised.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    with replacing(path) as partial:
        partial.write_bytes(content)


def save_snapshots(trained: Trained, path: Path) -> None:
    """Write the first layer at each snapshot, readable without TensorFlow.

    The ``.npz`` file holds ``steps [k]``, ``weights [k, height, width, units]``,
    ``biases [k, units]`` and ``layer``, the layer's name.
    """
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            steps=np.array([at.step for at in trained.snapshots], np.int64),
            weights=np.array([at.weights for at in trained.snapshots], np.float32),
            biases=np.array([at.biases for at in trained.snapshots], np.float32),
            layer=np.array(trained.first_layer),
        )
