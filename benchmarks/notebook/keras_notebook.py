"""Today's exercise of the course in plain Keras: python keras_notebook.py MNIST

Trains and tests the network as the exercise's users write it, with Keras' defaults: all threads, and no seed.
MNIST is the folder of the four IDX files. Prints the test accuracy, and the seconds with the import of Keras.
"""

import gzip
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STARTED = time.perf_counter()
import keras  # noqa: E402  # timed too: a user waits seconds for this import


def main(mnist: Path) -> None:
    images, labels = read(mnist, "train")
    test_images, test_labels = read(mnist, "t10k")
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    adam = keras.optimizers.Adam(learning_rate=0.003)
    model.compile(optimizer=adam, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, batch_size=4000, epochs=50, shuffle=True, validation_split=0.2)
    _, accuracy = model.evaluate(test_images, test_labels, batch_size=4000)
    print(f"test accuracy {accuracy:.4f}, {time.perf_counter() - STARTED:.1f} s")


def read(mnist: Path, part: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return images ``[n, 28, 28]`` from 0 to 1, and labels ``[n]``; both files begin with their sizes."""
    pixels = gzip.decompress((mnist / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((mnist / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28)
    return images / 255, np.frombuffer(labels, np.uint8, offset=8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
