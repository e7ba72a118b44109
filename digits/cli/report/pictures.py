"""Pictures as PNG files inside a page: many small ones in one image, a pixel for each of theirs."""

import base64
import io
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digits.core.examples import Images

#: ColorBrewer's PuOr from end to end: orange against, purple for; white is zero.
PUOR = (
    (127, 59, 8), (179, 88, 6), (224, 130, 20), (253, 184, 99), (254, 224, 182), (247, 247, 247),
    (216, 218, 235), (178, 171, 210), (128, 115, 172), (84, 39, 136), (45, 0, 75),
)  # fmt: skip
#: Colours of the palette that stand for values; the last is what lies between pictures.
LEVELS = 255


@dataclass(frozen=True)
class Sheet:
    """Pictures in rows of ``columns``, in one image.

    Attributes:
        url: the image as a ``data:`` URL.
        columns: pictures in a row.
        rows: of pictures.
        height: of a picture, in pixels.
        width: the same.
        gap: pixels between two pictures.
    """

    url: str
    columns: int
    rows: int
    height: int
    width: int
    gap: int = 0

    @property
    def pixel_width(self) -> int:
        return self.columns * (self.width + self.gap) - self.gap

    @property
    def pixel_height(self) -> int:
        return self.rows * (self.height + self.gap) - self.gap


def png_url(content: bytes) -> str:
    """A PNG file as a ``data:`` URL."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def ink_sheet(images: Images, pixel_maximum: int, columns: int) -> Sheet:
    """Images ``uint8 [n, height, width]`` with dark ink."""
    scaled = 255 - np.rint(images.astype(np.float64) * 255 / pixel_maximum).astype(np.uint8)
    return _sheet(scaled, columns, gap=0, between=255)


def weight_sheet(weights: NDArray[np.float32], limit: float, columns: int) -> Sheet:
    """Weights ``[height, width, units]``, white at zero, of full colour at ±``limit``."""
    half = LEVELS // 2
    levels = np.rint(np.clip(np.moveaxis(weights, -1, 0) / (limit or 1.0), -1, 1) * half) + half
    return _sheet(levels.astype(np.uint8), columns, gap=1, between=LEVELS, palette=_palette())


def _palette() -> list[int]:
    at = np.linspace(0, len(PUOR) - 1, LEVELS)
    channels = [np.interp(at, range(len(PUOR)), [colour[channel] for colour in PUOR]) for channel in range(3)]
    return [*np.rint(np.stack(channels, axis=1)).astype(int).ravel().tolist(), 255, 255, 255]


def _sheet(
    pictures: NDArray[np.uint8], columns: int, *, gap: int, between: int, palette: list[int] | None = None
) -> Sheet:
    count, height, width = pictures.shape
    columns = max(1, min(columns, count))
    rows = max(1, ceil(count / columns))
    pixels = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), between, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
        pixels[top : top + height, left : left + width] = picture
    image = Image.fromarray(pixels)
    if palette:
        image = image.convert("P")
        image.putpalette(palette)
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    url = png_url(content.getvalue())
    return Sheet(url, columns, rows, height, width, gap)
