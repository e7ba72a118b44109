"""One trained network through everything that runs its files: Keras, LiteRT, ONNX Runtime and NumPy."""

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from digits.core.examples import Images
from digits.evaluate.inference import logits

Logits = NDArray[np.float32]


def every_runtime(folder: Path, images: Images) -> dict[str, Logits]:
    """The logits ``[n, classes]`` of the network in ``folder``, by what computed them."""
    return {
        "Keras": _keras(folder / "model.keras", images),
        "LiteRT": logits(folder / "model.tflite", images),
        "ONNX Runtime": _onnxruntime(folder / "model.onnx", images),
        "NumPy": _numpy(folder / "model.keras", images),
    }


def furthest_apart(found: dict[str, Logits]) -> float:
    """The largest difference between any two of them in the probability of any class of any image."""
    shares = np.stack([_softmax(values) for values in found.values()])
    return float(np.ptp(shares, axis=0).max())


def _softmax(values: Logits) -> NDArray[np.float64]:
    shares = np.exp(values.astype(np.float64) - values.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _keras(path: Path, images: Images) -> Logits:
    from digits.train.backend import keras

    model = keras.models.load_model(path, safe_mode=True)
    return np.asarray(model.predict(images.astype(np.float32), batch_size=2_500, verbose=0))


def _onnxruntime(path: Path, images: Images) -> Logits:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    (answer,) = session.run(["logits"], {"images": images.astype(np.float32)})
    return np.asarray(answer)


def _numpy(path: Path, images: Images) -> Logits:
    """From the .keras file alone: its list of layers, and its weights."""
    with zipfile.ZipFile(path) as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    values = images.astype(np.float32)
    for layer in layers:
        config = layer["config"]
        match layer["class_name"]:
            case "Rescaling":
                values = values * np.float32(config["scale"])
            case "Flatten":
                values = values.reshape(len(values), -1)
            case "Dense":
                kernel, bias = weights[f"layers/{_in_file(config['name'], layers)}/vars"].values()
                values = values @ kernel[()] + bias[()]
                if config["activation"] == "relu":
                    values = np.maximum(values, 0)
            case "BatchNormalization":
                name = f"layers/{_in_file(config['name'], layers)}/vars"
                gamma, beta, mean, variance = (values[()] for values in weights[name].values())
                values = (values - mean) / np.sqrt(variance + np.float32(config["epsilon"])) * gamma + beta
            case "ReLU":
                values = np.maximum(values, 0)
            case "InputLayer" | "Dropout":
                pass
            case other:
                raise NotImplementedError(other)
    return values


def _in_file(name: str, layers: list[dict[str, object]]) -> str:
    """What Keras calls a layer in the weights: dense, dense_1, …, by their kinds, in their order."""
    kinds = {layer["config"]["name"]: str(layer["class_name"]) for layer in layers}  # type: ignore[index]
    number = [other for other, kind in kinds.items() if kind == kinds[name]].index(name)
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kinds[name]).lower()
    return f"{kind}_{number}" if number else kind


def digest_of_weights(path: Path) -> str:
    """SHA-256 of a Keras model's weights, in their order."""
    from digits.train.backend import keras

    digest = hashlib.sha256()
    for variable in keras.models.load_model(path, safe_mode=True).weights:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()
