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
    """The network's logits ``float32 [n, classes]`` for ``images`` ``[n, height, width]``."""
    from ai_edge_litert.interpreter import Interpreter

    parts: list[NDArray[np.float32]] = []
    size = 0
    try:
        interpreter = Interpreter(str(model_path), num_threads=1)
        image_input, output = (
            details[0]["index"]
            for details in (interpreter.get_input_details(), interpreter.get_output_details())
        )
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH].astype(np.float32)
            if len(batch) != size:
                size = len(batch)
                interpreter.resize_tensor_input(image_input, batch.shape)
                with _silent_stderr():
                    interpreter.allocate_tensors()
            interpreter.set_tensor(image_input, batch)
            interpreter.invoke()
            parts.append(interpreter.get_tensor(output))
    except (ValueError, RuntimeError) as error:
        height, width = images.shape[1:]
        problem = f"not a LiteRT model for images of {height} × {width} pixels ({error})"
        raise InputError(model_path, problem, "Run `dvc repro train`") from None
    return np.concatenate(parts)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discard standard error while the block runs: LiteRT prints there how it will compute."""
    sys.stderr.flush()
    saved_stderr = os.dup(2)
    with Path(os.devnull).open("w") as devnull:
        os.dup2(devnull.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved_stderr, 2)
        os.close(saved_stderr)
