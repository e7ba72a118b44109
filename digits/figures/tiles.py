"""Many small pictures on a grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from digits.figures.style import EDGE, LINE, TITLE, TITLE_WIDTH


@dataclass(frozen=True)
class Tiles:
    """Pictures on a grid, drawn as one image; coordinates are in picture pixels, and y points down.

    Drawing a hundred separate images would take nearly three times as long. A picture is ``cell`` inches
    wide, with room for ``lines`` lines of text over it.
    """

    height: int
    width: int
    columns: int
    cell: float
    lines: int = 0

    def place(self, number: int) -> tuple[int, int]:
        """The left and top edge of a picture."""
        row, column = divmod(number, self.columns)
        gap = max(1, round(0.08 * self.width))
        room = ceil((LINE * self.lines + 0.07) * self.width / self.cell)
        return column * (self.width + gap), row * (self.height + room) + room

    def shape(self, count: int) -> tuple[int, int]:
        """Height and width of a grid of ``count`` pictures, in picture pixels."""
        right = self.place(min(count, self.columns) - 1)[0] + self.width
        return self.place(count - 1)[1] + self.height, right

    def inches(self, count: int) -> tuple[float, float]:
        """Height and width of a grid of ``count`` pictures, in inches."""
        height, width = self.shape(count)
        return height * self.cell / self.width, width * self.cell / self.width

    def draw(self, ax: Axes, pictures: NDArray[Any], captions: Sequence[str] = (), **scale: Any) -> AxesImage:
        """Pictures ``[n, height, width]``, white where they are NaN, with a caption over each."""
        mosaic = np.full(self.shape(len(pictures)), np.nan, np.float32)
        for number, picture in enumerate(pictures):
            left, top = self.place(number)
            mosaic[top : top + self.height, left : left + self.width] = picture
        height, width = mosaic.shape
        # Any other interpolation would colour the gaps too.
        image = ax.imshow(mosaic, extent=(0, width, height, 0), interpolation="nearest", **scale)
        image.set_in_layout(False)  # it lies within the axes, as captions do, and measuring takes time
        ax.set_axis_off()
        for number, caption in enumerate(captions):
            left, top = self.place(number)
            middle, bottom = left + self.width / 2, top - 0.03 * self.width / self.cell
            text = ax.text(middle, bottom, caption, ha="center", va="bottom", fontsize=9)
            text.set_in_layout(False)
        return image

    def name_row(self, ax: Axes, row: int, name: str, rotation: int = 0) -> None:
        """Write a row's name to the left of its pictures."""
        _, top = self.place(row * self.columns)
        middle = top + self.height / 2
        ax.text(-0.12 * self.width, middle, name, ha="right", va="center", rotation=rotation)

    def figure(self, count: int, title: str, beside: float = EDGE) -> tuple[Figure, Axes]:
        """Return a figure for ``count`` pictures, with ``beside`` inches to their right, and its axes.

        The title may have two lines. All sizes are known, so Matplotlib's layout engine isn't needed.
        """
        height, width = self.inches(count)
        size = max(width + EDGE + beside, TITLE_WIDTH), height + EDGE + TITLE
        left = (size[0] - width - EDGE - beside) / 2 + EDGE
        figure = Figure(figsize=size)
        figure.suptitle(title, y=1 - EDGE / size[1])
        box = (left / size[0], EDGE / size[1], width / size[0], height / size[1])
        return figure, figure.add_axes(box)


def add_scale(figure: Figure, ax: Axes, image: AxesImage, label: str) -> None:
    """Add a colour bar to the right of axes that have :data:`digits.figures.style.SCALE` inches there."""
    box, inch = ax.get_position(), 1 / figure.get_figwidth()
    scale_axes = figure.add_axes((box.x1 + EDGE * inch, box.y0, 0.15 * inch, box.height))
    figure.colorbar(image, cax=scale_axes, label=label)
