"""Read the files of a trained network."""

import hashlib
from pathlib import Path


def digest_of_weights(path: Path) -> str:
    """SHA-256 of a Keras model's weights, in their order."""
    from digits.train.backend import keras

    digest = hashlib.sha256()
    for variable in keras.models.load_model(path, safe_mode=True).weights:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()
