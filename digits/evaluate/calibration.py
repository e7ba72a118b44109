"""Calibration: is a network that says 90 % right in nine of ten cases?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 10


class Bin(NamedTuple):
    """Answers of similar confidence: the bin's edges, their number, mean confidence and accuracy."""

    low: float
    high: float
    answers: int
    confidence: float
    accuracy: float


def bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    """Answers ``[n]``, by confidence, in :data:`BINS` bins of equal width; empty ones are left out."""
    bin_of_answer = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    return [
        Bin(
            index / BINS,
            (index + 1) / BINS,
            int(in_bin.sum()),
            float(confidence[in_bin].mean()),
            float(right[in_bin].mean()),
        )
        for index in range(BINS)
        if (in_bin := bin_of_answer == index).any()
    ]
