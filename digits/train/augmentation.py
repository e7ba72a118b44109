"""Distorted copies of training images: turned, shifted, scaled, sheared, and bent like rubber.

Affine and elastic distortions as Simard, Steinkraus and Platt (2003) made them for MNIST. The elastic
displacements are drawn on a coarse grid and spread by Gaussians. Simard et al. convolve a random field of
full size: the result is of the same kind, at ten times the cost.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from digits.core.examples import Images
from digits.core.params import Augmentation

Distorted = NDArray[np.float32]


class Distorter:
    """Distorts images of one size; each result depends on the images and the random numbers alone."""

    def __init__(self, augmentation: Augmentation, height: int, width: int) -> None:
        self.settings = augmentation
        self.size = height, width
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        self.down, self.right = rows - (height - 1) / 2, columns - (width - 1) / 2
        self.spread_rows = _spread(height, augmentation.elastic_scale)
        self.spread_columns = _spread(width, augmentation.elastic_scale)

    def __call__(self, images: Images, random: np.random.Generator) -> Distorted:
        """Distorted copies ``float32 [n, height, width]``, in the range of the images.

        Each pixel is interpolated bilinearly at the place it comes from; outside the image, pixels are zero.
        """
        rows, columns = self._origins(len(images), random)
        height, width = self.size
        padded = np.zeros((len(images), height + 2, width + 2), np.float32)
        padded[:, 1:-1, 1:-1] = images
        # Positions in the padded image, clipped so that each has a neighbour to the right and below.
        rows = np.clip(rows + 1, 0, height + 1 - 1e-3)
        columns = np.clip(columns + 1, 0, width + 1 - 1e-3)
        top, left = np.floor(rows), np.floor(columns)
        row_fraction, column_fraction = rows - top, columns - left
        number = np.arange(len(images))[:, None, None]
        first = (number * (height + 2) + top.astype(np.intp)) * (width + 2) + left.astype(np.intp)
        pixels = padded.ravel()
        upper_row = pixels[first] * (1 - column_fraction) + pixels[first + 1] * column_fraction
        first += width + 2
        lower_row = pixels[first] * (1 - column_fraction) + pixels[first + 1] * column_fraction
        return cast(Distorted, upper_row * (1 - row_fraction) + lower_row * row_fraction)

    def _origins(self, count: int, random: np.random.Generator) -> tuple[Distorted, Distorted]:
        """Row and column that each pixel comes from, both ``[n, height, width]``."""
        settings = self.settings
        draw = random.uniform(-1, 1, (6, count, 1, 1)).astype(np.float32)
        angle = draw[0] * np.float32(np.deg2rad(settings.rotation))
        tall, wide = 1 / (1 + draw[1] * settings.zoom), 1 / (1 + draw[2] * settings.zoom)
        slant = draw[3] * settings.shear
        cosine, sine = np.cos(angle), np.sin(angle)
        height, width = self.size
        rows = tall * (cosine * self.down - sine * self.right) + (height - 1) / 2 + draw[4] * settings.shift
        columns = (
            wide * ((sine + slant * cosine) * self.down + (cosine - slant * sine) * self.right)
            + (width - 1) / 2
            + draw[5] * settings.shift
        )
        if settings.elastic:
            grid = len(self.spread_rows.T), len(self.spread_columns.T)
            pushes = random.standard_normal((2, count, *grid), np.float32) * np.float32(settings.elastic)
            down, right = self.spread_rows @ pushes @ self.spread_columns.T
            rows += down
            columns += right
        return rows, columns


def _spread(side: int, scale: float) -> Distorted:
    """Return the weights by which a few points along a side move its pixels, ``[side, points]``.

    A pixel's squared weights sum to 1, so that it moves with the same standard deviation as the points.
    """
    points = max(1, round(side / scale))
    place = (np.arange(side) + 0.5) / side * points - 0.5
    bumps = np.exp(-((place[:, None] - np.arange(points)) ** 2))
    return cast(Distorted, (bumps / np.linalg.norm(bumps, axis=1, keepdims=True)).astype(np.float32))
