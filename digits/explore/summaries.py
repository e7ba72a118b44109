"""Tables of the examples, before anything is trained on them."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.files import replacing


def describe(examples: Examples) -> tuple[pd.DataFrame, pd.DataFrame]:
    """pandas' ``describe()`` of the features and of the labels, as the course's notebook shows them.

    Features are pixels scaled to 0–1. They are numbered from 1, as in the course's CSV: left to right, then
    top to bottom. Each row of both tables is a statistic.
    """
    columns = range(1, examples.height * examples.width + 1)
    pixels = pd.DataFrame(examples.images.reshape(len(examples), -1), columns=columns)
    labels = pd.DataFrame({"label": examples.labels}).describe()
    # Of all columns at once: describe() takes them one by one, which is slow.
    statistics = np.vstack([pixels.mean(), pixels.std(), pixels.quantile([0, 0.25, 0.5, 0.75, 1])])
    rows = np.vstack([pixels.count(), statistics / examples.pixel_maximum])
    return pd.DataFrame(rows, labels.index, columns), labels


def save_description(examples: Examples, folder: Path, name: str) -> None:
    """Write both tables of :func:`describe` as ``<name>_features.csv`` and ``<name>_labels.csv``."""
    for kind, table in zip(("features", "labels"), describe(examples), strict=True):
        with replacing(folder / f"{name}_{kind}.csv") as partial:
            table.to_csv(partial, float_format="%.6g", lineterminator="\n")


def pixel_position(pixel: int, examples: Examples) -> tuple[int, int]:
    """Return row and column of a pixel, numbered as by :func:`describe`; an InputError if there is none."""
    count = examples.height * examples.width
    if not 1 <= pixel <= count:
        size = f"{examples.height} × {examples.width}"
        problem = f"expected a pixel from 1 to {count}, of {size}, found {pixel}"
        raise InputError("params.yaml, explore.pixel", problem, "Change the value")
    return divmod(pixel - 1, examples.width)


def ink_frequency(examples: Examples) -> NDArray[np.float64]:
    """The share of images in which each pixel isn't zero, ``[height, width]``."""
    return np.asarray(np.count_nonzero(examples.images, axis=0) / len(examples))


def class_statistics(examples: Examples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each class's images, both ``[classes, height, width]``."""
    groups = [examples.images[examples.labels == label] for label in range(len(examples.class_names))]
    means = np.stack([group.mean(axis=0) for group in groups])
    return means, np.stack([group.std(axis=0) for group in groups])


def sample_per_class(examples: Examples, count: int, seed: int) -> NDArray[np.intp]:
    """Random rows of each class, ``[classes, count]``, -1 where a class has fewer examples."""
    random = np.random.default_rng(seed)
    rows = np.full((len(examples.class_names), count), -1, np.intp)
    for label in range(len(examples.class_names)):
        drawn = random.permutation(np.flatnonzero(examples.labels == label))[:count]
        rows[label, : len(drawn)] = drawn
    return rows
