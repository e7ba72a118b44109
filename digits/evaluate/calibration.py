"""Whether a network that says 90 % is right in nine of ten cases."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 10


class Bin(NamedTuple):
    """Answers of nearly the same confidence.

    Attributes:
        low: the bin's lower edge.
        high: its upper edge.
        answers: how many.
        confidence: their mean confidence.
        accuracy: the share that is right.
    """

    low: float
    high: float
    answers: int
    confidence: float
    accuracy: float


def bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    """Answers in :data:`BINS` bins of equal width; empty ones are left out.

    Args:
        confidence: the probability that each answer was given, ``[n]`` in 0–1.
        right: whether it is the true class, ``[n]``.
    """
    number = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    inside = [number == at for at in range(BINS)]
    return [
        Bin(
            at / BINS,
            (at + 1) / BINS,
            int(rows.sum()),
            float(confidence[rows].mean()),
            float(right[rows].mean()),
        )
        for at, rows in enumerate(inside)
        if rows.any()
    ]


def expected_calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """The mean gap between confidence and accuracy (Naeini et al. 2015; of the answer, Guo et al. 2017)."""
    gaps = [at.answers * abs(at.accuracy - at.confidence) for at in bins(confidence, right)]
    return sum(gaps) / len(confidence)
