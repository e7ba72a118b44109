"""Calibration: is a network that says 90 % right in nine of ten cases?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 10


class Bin(NamedTuple):
    """Answers of nearly the same confidence: the bin's edges, how many, their means."""

    low: float
    high: float
    answers: int
    confidence: float
    accuracy: float


def bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    """Answers ``[n]``, by confidence, in :data:`BINS` bins of equal width; empty ones are left out."""
    number = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    return [
        Bin(
            place / BINS,
            (place + 1) / BINS,
            int(rows.sum()),
            float(confidence[rows].mean()),
            float(right[rows].mean()),
        )
        for place in range(BINS)
        if (rows := number == place).any()
    ]
