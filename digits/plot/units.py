"""Measure what the pictures of a first layer's weights show: noise, dead units, units that look alike."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from digits.core.examples import Images

#: The columns of units.csv.
COLUMNS = ("step", "unit", "verdict", "smoothness", "active", "similarity", "most_similar_unit")


@dataclass(frozen=True)
class Units:
    """The first layer's units, measured; all arrays are ``[units]``.

    Attributes:
        smoothness: Moran's I of the unit's weights over neighbouring pixels.
        active: share of the images for which the unit's input to its activation is above zero.
        similarity: the largest absolute cosine to another unit's weights.
        most_similar: that other unit's number.
    """

    smoothness: NDArray[np.float64]
    active: NDArray[np.float64]
    similarity: NDArray[np.float64]
    most_similar: NDArray[np.intp]

    def verdicts(self, *, noise_below: float, alike_above: float) -> list[str]:
        """The first that applies to each unit: dead (never active), noise, alike (to another unit), or ""."""
        applies = [self.active == 0, self.smoothness < noise_below, self.similarity > alike_above]
        return [str(word) for word in np.select(applies, ["dead", "noise", "alike"], "")]

    def rows(self, step: int, verdicts: list[str]) -> Iterator[tuple[object, ...]]:
        """Rows of units.csv, one for each unit after a step."""
        for unit, verdict in enumerate(verdicts):
            measures = (self.smoothness[unit], self.active[unit], self.similarity[unit])
            yield step, unit, verdict, *(f"{value:.4f}" for value in measures), self.most_similar[unit]


def measure(
    weights: NDArray[np.float32], biases: NDArray[np.float32], images: Images, pixel_maximum: int
) -> Units:
    """Measure the units of a first layer, weights ``[height, width, units]``, on images.

    Only pixels with ink in one image at least are looked at: the others get no gradient, so their
    weights are still what the initializer drew, and say nothing about what was learnt.
    """
    inked = np.asarray(images.any(axis=0))
    with threadpool_limits(1):  # sums are added up in one order however many cores there are
        inputs = images[:, inked].astype(np.float32) @ (weights[inked] / pixel_maximum) + biases
        similarity, most_similar = _nearest(weights[inked].astype(np.float64))
    smoothness = _morans_i(weights.astype(np.float64), inked)
    return Units(smoothness, (inputs > 0).mean(axis=0), similarity, most_similar)


def _morans_i(weights: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Moran's I (1950) for each unit, over the mask's pixels and their rook neighbours.

    Near 1 if neighbouring weights are similar, about 0 if they are independent. Constant weights get 0.
    """
    centred = np.where(mask[..., None], weights - weights[mask].mean(axis=0), 0.0)
    across = mask[:, 1:] & mask[:, :-1]
    down = mask[1:] & mask[:-1]
    products = (centred[:, 1:] * centred[:, :-1])[across].sum(axis=0)
    products += (centred[1:] * centred[:-1])[down].sum(axis=0)
    pairs = across.sum() + down.sum()
    variance = (centred**2).sum(axis=(0, 1)) / mask.sum()
    zero = np.zeros(len(variance))
    return np.asarray(np.divide(products / max(pairs, 1), variance, out=zero, where=variance > 0))


def _nearest(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The largest absolute cosine of each column to another column, and that column's number."""
    norms = np.linalg.norm(weights, axis=0)
    directions = np.divide(weights, norms, out=np.zeros_like(weights), where=norms > 0)
    cosines = np.abs(directions.T @ directions)
    np.fill_diagonal(cosines, -1.0)
    return np.clip(cosines.max(axis=0), 0.0, 1.0), cosines.argmax(axis=0)
