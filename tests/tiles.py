"""Find the pictures in a figure that holds many."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray


def spans(filled: Any) -> list[slice]:
    """A slice for each unbroken sequence of true values."""
    edges = np.flatnonzero(np.diff(filled, prepend=False, append=False))
    return [slice(start, stop) for start, stop in edges.reshape(-1, 2).tolist()]


def tiles(ax: Axes) -> dict[tuple[int, int], NDArray[np.float32]]:
    """The pictures of a mosaic by their left and top pixel, row by row; lines of NaN separate them."""
    (image,) = ax.get_images()
    mosaic: NDArray[np.float32] = np.ma.filled(np.ma.asarray(image.get_array()), np.nan)
    height, width = mosaic.shape
    assert tuple(image.get_extent()) == (0, width, height, 0)  # a pixel is a unit of the axes
    filled = ~np.isnan(mosaic)
    found = {
        (columns.start, rows.start): mosaic[rows, columns]
        for rows in spans(np.any(filled, axis=1))
        for columns in spans(np.any(filled[rows], axis=0))
    }
    assert not any(np.isnan(picture).any() for picture in found.values())
    return found
