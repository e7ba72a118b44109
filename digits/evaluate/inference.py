"""Run an exported network without TensorFlow, through LiteRT."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits.core.errors import InputError
from digits.core.examples import Images

#: Images run at a time: large enough for speed, small enough that float32 copies stay small.
BATCH = 100


def logits(model_path: Path, images: Images) -> NDArray[np.float32]:
    """The network's logits ``float32 [n, classes]`` for ``images`` ``[n, height, width]``.

    Raises:
        InputError: the file isn't a LiteRT model, or takes images of another size.
    """
    from ai_edge_litert.interpreter import Interpreter

    with _refusing(model_path):
        interpreter = Interpreter(str(model_path), num_threads=1)
    image_input = interpreter.get_input_details()[0]
    takes = tuple(int(size) for size in image_input["shape_signature"][1:])
    if takes != images.shape[1:]:
        raise InputError(
            model_path,
            found=f"a network for images of {takes} pixels",
            expected=f"one for {images.shape[1:]}, the size of the data",
            do="dvc repro train",
        )
    output = interpreter.get_output_details()[0]["index"]
    parts: list[NDArray[np.float32]] = []
    size = 0
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH].astype(np.float32)
        if len(batch) != size:
            size = len(batch)
            interpreter.resize_tensor_input(image_input["index"], batch.shape)
            with _refusing(model_path), _unsaid():
                interpreter.allocate_tensors()
        interpreter.set_tensor(image_input["index"], batch)
        with _refusing(model_path):
            interpreter.invoke()
        parts.append(interpreter.get_tensor(output))
    return np.concatenate(parts)


@contextmanager
def _refusing(model_path: Path) -> Iterator[None]:
    """Whatever LiteRT says against a model in the block is said of its file."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise InputError(
            model_path, found=str(error), expected="a LiteRT model", do="dvc repro train"
        ) from None


@contextmanager
def _unsaid() -> Iterator[None]:
    """While the block runs, nothing reaches standard error: LiteRT says there how it will compute."""
    sys.stderr.flush()
    said = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(said, 2)
        os.close(said)
