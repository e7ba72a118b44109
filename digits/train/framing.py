"""Measure how the images of a data set are framed: how large their ink is, and where it lies.

MNIST's digits were scaled to fit a box of 20 × 20 pixels and centred in 28 × 28 by their centre of mass
(LeCun et al. 1998, section III.A). Other data sets differ, so the framing is measured, not assumed.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from digits.core.examples import Examples
from digits.core.model_input import ModelInput

#: The number of training images that are measured.
IMAGES_MEASURED = 2_000
#: A pixel has ink if it is above the background by more than this share of the image's highest pixel.
INK_THRESHOLD = 0.2


def measure_framing(examples: Examples) -> ModelInput:
    """Return what a network trained on ``examples`` takes: their size, classes and framing."""
    sample = examples.take(slice(IMAGES_MEASURED))
    backgrounds = np.median(sample.edges, axis=1)
    background = int(np.median(backgrounds))
    sign = -1 if 2 * background > examples.pixel_maximum else 1  # dark ink on light paper
    ink = np.clip(sign * (sample.images - backgrounds[:, None, None]), 0, None)
    ink = ink[np.asarray(ink.any(axis=(1, 2)))]
    if not len(ink):
        ink = np.ones((1, examples.height, examples.width))
    ink[ink <= INK_THRESHOLD * ink.max(axis=(1, 2), keepdims=True)] = 0
    rows, columns = (extents(np.asarray(ink.any(axis=axis))) for axis in (2, 1))
    sides = np.maximum(rows[:, 1] - rows[:, 0], columns[:, 1] - columns[:, 0])
    places: dict[Literal["mass", "box"], NDArray[np.float64]] = {
        "mass": np.array([centre_of_mass(image) for image in ink]),
        "box": np.column_stack([rows.mean(axis=1), columns.mean(axis=1)]),
    }
    # The digits were centred by the measure that varies least between images.
    centring = min(places, key=lambda name: float(places[name].std(axis=0).sum()))
    row, column = places[centring].mean(axis=0).round(3).tolist()
    return ModelInput(
        height=examples.height,
        width=examples.width,
        pixel_maximum=examples.pixel_maximum,
        class_names=examples.class_names,
        box=int(np.median(sides)),
        centring=centring,
        centre=(row, column),
        background=background,
    )


def extents(any_ink: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the first true index in each row of ``[n, length]``, and the one after the last, ``[n, 2]``."""
    length = any_ink.shape[1]
    return np.column_stack([any_ink.argmax(axis=1), length - any_ink[:, ::-1].argmax(axis=1)])


def centre_of_mass(ink: NDArray[np.floating]) -> tuple[float, float]:
    """Row and column, in pixels from the first pixel's edge."""
    ink = ink.astype(np.float64)
    total = ink.sum()
    rows, columns = (np.arange(side) + 0.5 for side in ink.shape)
    return float(ink.sum(axis=1) @ rows / total), float(ink.sum(axis=0) @ columns / total)
