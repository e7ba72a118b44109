"""Measure what the pictures of a first layer's weights show: noise, dead units, units that look alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from digits.core.examples import Images

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Units:
    """The first layer's units, measured; all arrays are ``[units]``.

    Attributes:
        smoothness: Moran's I of the unit's weights over neighbouring pixels.
        active: share of the images for which the unit's input to its activation is above zero.
        similarity: the largest absolute cosine to another unit's weights.
        twin: that other unit's number.
    """

    smoothness: NDArray[np.float64]
    active: NDArray[np.float64]
    similarity: NDArray[np.float64]
    twin: NDArray[np.intp]

    def verdicts(self, *, noise_below: float, alike_above: float) -> list[str]:
        """A word for each unit: dead, noise, alike, or nothing; the first that holds.

        Args:
            noise_below: smoothness under which a unit's weights count as noise.
            alike_above: similarity over which two units count as alike.
        """
        return [
            "dead"
            if active == 0
            else "noise"
            if smooth < noise_below
            else "alike"
            if like > alike_above
            else ""
            for active, smooth, like in zip(self.active, self.smoothness, self.similarity, strict=True)
        ]


def measure(weights: Weights, biases: NDArray[np.float32], images: Images, pixel_maximum: int) -> Units:
    """Measure each unit of a first layer.

    Only pixels with ink in one image at least are looked at: the others get no gradient, so their
    weights are still what the initialiser drew, and say nothing about what was learnt.

    Args:
        weights: ``[height, width, units]``.
        biases: ``[units]``.
        images: ``uint8 [n, height, width]`` to run the units on.
        pixel_maximum: the value of full ink.
    """
    inked = np.asarray(images.any(axis=0))
    used = weights[inked].astype(np.float64)
    with threadpool_limits(1):  # sums are added up in one order however many cores there are
        inputs = images[:, inked].astype(np.float32) @ (weights[inked] / pixel_maximum) + biases
        similarity, twin = _nearest(used)
    return Units(
        smoothness=_morans_i(weights.astype(np.float64), inked),
        active=(inputs > 0).mean(axis=0),
        similarity=similarity,
        twin=twin,
    )


def _morans_i(weights: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Moran's I (1950) for each unit, over the mask's pixels and their rook neighbours.

    1 where neighbours are alike, about 0 for independent random weights. 0 for constant weights.
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
    unit = np.divide(weights, norms, out=np.zeros_like(weights), where=norms > 0)
    cosines = np.abs(unit.T @ unit)
    np.fill_diagonal(cosines, -1.0)
    return np.clip(cosines.max(axis=0), 0.0, 1.0), cosines.argmax(axis=0)
